//! The kernel, and what this process may do.

use super::{Check, Finding};
use crate::kernel::requirements::{
    MIN_KERNEL_FOR_TEST_RUNS, RequirementError, check_release, is_release_before,
};
use crate::nic::facts::Facts;

/// What holds for every interface of the host.
pub(super) fn kernel(facts: &Facts) -> Vec<Finding> {
    let mut findings = vec![release(&facts.host.release), privileges(facts), jit(facts)];
    // 1 spares the programs of root, and ours is one.
    if facts.host.jit_harden == Ok(2) {
        let text = "net.core.bpf_jit_harden is 2: every constant of the program is hidden, which \
                    makes it slower";
        findings
            .push(Finding::yellow(Check::Jit, text).with("sysctl -w net.core.bpf_jit_harden=1"));
    }
    findings
}

fn release(release: &str) -> Finding {
    if let Err(error) = check_release(release) {
        return Finding::red(Check::Kernel, error.to_string());
    }
    let (major, minor) = MIN_KERNEL_FOR_TEST_RUNS;
    let verify = if is_release_before(release, MIN_KERNEL_FOR_TEST_RUNS) {
        format!("; `dns-glue verify` needs Linux {major}.{minor}")
    } else {
        String::new()
    };
    let text = format!("{release} has BPF links for XDP; BTF is not needed{verify}");
    Finding::green(Check::Kernel, text)
}

fn privileges(facts: &Facts) -> Finding {
    match &facts.host.missing_capabilities {
        Ok(missing) if missing.is_empty() => {
            Finding::green(Check::Privileges, "this process has those that `run` needs")
        }
        Ok(missing) => {
            let refusal = RequirementError::Capabilities(missing.clone());
            Finding::yellow(Check::Privileges, refusal.to_string())
        }
        Err(why) => Finding::yellow(Check::Privileges, format!("not known: {why}")),
    }
}

/// A program that was loaded tells better than the setting.
fn jit(facts: &Facts) -> Finding {
    let on = || Finding::green(Check::Jit, "programs become machine code");
    let off = || {
        let text = "programs are interpreted, which is many times slower";
        Finding::yellow(Check::Jit, text).with("sysctl -w net.core.bpf_jit_enable=1")
    };
    match (&facts.probed, &facts.host.jit) {
        (Some(Ok(probed)), _) if probed.is_jited => on(),
        (Some(Ok(_)), _) | (_, Ok(0)) => off(),
        (_, Ok(_)) => on(),
        (_, Err(why)) => {
            let text = format!(
                "not known: {why} (the kernel shows it in its first network namespace only)"
            );
            Finding::yellow(Check::Jit, text).with("sysctl net.core.bpf_jit_enable, on the host")
        }
    }
}
