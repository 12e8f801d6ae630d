//! One boot in qemu, and what its init says on the serial console.

use std::{
    fs::{self, File},
    path::Path,
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail};

use crate::{command::say, workspace};

/// A boot takes about 6 seconds where qemu interprets; a verifier that walks
/// a million instructions takes a minute there.
const LIMIT: Duration = Duration::from_secs(240);

/// How the probe marks its lines among the kernel's.
const MARK: &str = "kernel-probe: ";

/// What a kernel did with the program.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Verdict {
    /// As uname(2) gives it.
    pub release: String,
    /// Whether the verifier accepted the program.
    pub loaded: bool,
    /// Whether it answered a query; `None`: not tried.
    pub answered: Option<bool>,
    /// What the verifier walked through.
    pub instructions: Option<u64>,
    /// Whether the probe came to its end.
    is_whole: bool,
}

impl Verdict {
    /// Whether everything that was tried succeeded.
    pub fn is_good(&self) -> bool {
        self.is_whole && self.loaded && self.answered != Some(false)
    }
}

/// Boots the image and reads the probe's verdict. The console's text stays
/// beside the image and is shown if the verdict is not good.
///
/// # Errors
/// When qemu does not run or the machine neither ends nor speaks in time.
pub fn verdict(image: &Path, initramfs: &Path, load_only: bool) -> Result<Verdict> {
    let console = image.with_file_name("console.log");
    let console_file =
        File::create(&console).with_context(|| format!("write {}", console.display()))?;
    let mut arguments = "console=ttyS0 quiet panic=-1".to_owned();
    if load_only {
        // An argument that the kernel does not know is one for init.
        arguments += " -- load-only";
    }
    let mut qemu = Command::new("qemu-system-x86_64");
    qemu.args([
        "-accel",
        "tcg",
        "-m",
        "512M",
        "-nodefaults",
        "-display",
        "none",
        "-no-reboot",
    ]);
    // With RDRAND; without it the kernel has no random numbers for minutes.
    qemu.args(["-cpu", "max"]);
    qemu.args(["-serial", "stdio", "-append", &arguments]);
    qemu.arg("-kernel").arg(image).arg("-initrd").arg(initramfs);
    qemu.stdin(Stdio::null()).stdout(console_file);
    qemu.current_dir(workspace::root());

    let is_ended = ends_within(&mut qemu, LIMIT)?;
    let text = fs::read(&console).with_context(|| format!("read {}", console.display()))?;
    let text = String::from_utf8_lossy(&text);
    let verdict = parse(&text);
    if !verdict.is_good() {
        eprintln!("{text}");
        say(&format!("the console's text is in {}", console.display()));
    }
    if !is_ended {
        bail!("the machine did not end within {} seconds", LIMIT.as_secs());
    }
    if verdict.release.is_empty() {
        bail!("the machine ended without a word of the probe");
    }
    Ok(verdict)
}

/// Runs the machine; one that does not end in time is switched off.
fn ends_within(qemu: &mut Command, limit: Duration) -> Result<bool> {
    let mut child = qemu
        .spawn()
        .context("start qemu-system-x86_64 (package qemu-system-x86)")?;
    let deadline = Instant::now() + limit;
    while Instant::now() < deadline {
        if child.try_wait().context("wait for qemu")?.is_some() {
            return Ok(true);
        }
        thread::sleep(Duration::from_millis(100));
    }
    child.kill().context("stop qemu")?;
    child.wait().context("wait for qemu")?;
    Ok(false)
}

/// Reads `kernel-probe: KEY VALUE` lines; all other text is the kernel's or
/// the verifier's.
fn parse(console: &str) -> Verdict {
    let mut verdict = Verdict::default();
    for line in console.lines() {
        // The kernel may have begun the line.
        let Some((_, line)) = line.split_once(MARK) else {
            continue;
        };
        match line
            .trim_end()
            .split_once(' ')
            .unwrap_or((line.trim_end(), ""))
        {
            ("release", release) => verdict.release = release.to_owned(),
            ("loaded", loaded) => verdict.loaded = loaded == "yes",
            ("answered", answered) => verdict.answered = Some(answered == "yes"),
            ("instructions", count) => verdict.instructions = count.parse().ok(),
            ("end", _) => verdict.is_whole = true,
            _ => {}
        }
    }
    verdict
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "[    1.0] Run /init\r\nkernel-probe: release 6.1.0-37-cloud-amd64\r\n\
        [    2.0] noise kernel-probe: loaded yes\r\nkernel-probe: instructions 1234\r\n\
        kernel-probe: answered yes\r\nkernel-probe: end\r\n";

    #[test]
    fn a_good_verdict_is_read_among_noise() {
        let verdict = parse(GOOD);
        assert_eq!(verdict.release, "6.1.0-37-cloud-amd64");
        assert_eq!(verdict.instructions, Some(1234));
        assert!(verdict.is_good());
    }

    #[test]
    fn silence_and_refusals_are_not_good() {
        assert!(!parse("").is_good());
        assert!(!parse(&GOOD.replace("loaded yes", "loaded no")).is_good());
        assert!(!parse(&GOOD.replace("answered yes", "answered no")).is_good());
        // It died after it had loaded the program.
        assert!(!parse(&GOOD.replace("kernel-probe: end", "panic")).is_good());
    }
}
