//! One boot in qemu, and what its init says on the serial console.

use std::{
    fmt,
    fs::{self, File},
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail};

use super::{debian_kernel::Kernel, initramfs};
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
    /// Whether the verifier accepted the program of every setup.
    pub loaded: bool,
    /// What the verifier walked through, of the largest setup.
    pub instructions: Option<u64>,
    /// Octets of machine code, of the largest setup.
    pub jited: Option<u64>,
    /// Cases of the table, run by the kernel without an interface.
    pub golden: Score,
    /// Cases that crossed a veth pair with the program in native mode.
    pub veth_native: Score,
    /// The same in generic mode.
    pub veth_generic: Score,
    /// Cases of VLANs: what the daemon learns of them, and tagged queries that
    /// crossed the pair.
    pub vlan: Score,
    /// Whether the probe came to its end.
    is_whole: bool,
}

/// How many of a number of cases went as they should.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Score {
    passed: usize,
    all: usize,
}

impl Score {
    fn parse(text: &str) -> Option<Self> {
        let (passed, all) = text.split_once('/')?;
        Some(Self {
            passed: passed.parse().ok()?,
            all: all.parse().ok()?,
        })
    }

    /// Whether there were cases, and all passed.
    fn is_good(self) -> bool {
        self.all > 0 && self.passed == self.all
    }
}

impl fmt::Display for Score {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.all {
            0 => write!(f, "-"),
            all => write!(f, "{}/{all}", self.passed),
        }
    }
}

impl Verdict {
    /// Whether everything that was to be tried succeeded.
    pub fn is_good(&self, load_only: bool) -> bool {
        let scores = [self.golden, self.veth_native, self.veth_generic, self.vlan];
        self.is_whole && self.loaded && (load_only || scores.into_iter().all(Score::is_good))
    }
}

/// Boots the kernel and reads the probe's verdict. The console's text stays
/// beside the image and is shown if the verdict is not good.
///
/// # Errors
/// When qemu does not run or the machine neither ends nor speaks in time.
pub fn verdict(kernel: &Kernel, probe: &[u8], load_only: bool) -> Result<Verdict> {
    let archive = initramfs::archive(probe, &kernel.modules()?);
    let initramfs = kernel.folder.join("initramfs.cpio");
    fs::write(&initramfs, archive).context("write the initramfs")?;
    let console = kernel.folder.join("console.log");
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
    // With RDRAND; without it the kernel has no random numbers for minutes. Without
    // CMPXCHG16B, behind which an interrupt finds other flags in qemu 7.2 (of
    // Debian 12): 6.12, which allocates by it, dies of that at any moment.
    qemu.args(["-cpu", "max,-cx16"]);
    qemu.args(["-serial", "stdio", "-append", &arguments]);
    qemu.arg("-kernel").arg(kernel.image());
    qemu.arg("-initrd").arg(&initramfs);
    qemu.stdin(Stdio::null()).stdout(console_file);
    qemu.current_dir(workspace::root());

    let is_ended = ends_within(&mut qemu, LIMIT)?;
    let text = fs::read(&console).with_context(|| format!("read {}", console.display()))?;
    let text = String::from_utf8_lossy(&text);
    let verdict = parse(&text);
    if !verdict.is_good(load_only) {
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
            ("instructions", count) => verdict.instructions = count.parse().ok(),
            ("jited", octets) => verdict.jited = octets.parse().ok(),
            ("golden", score) => verdict.golden = Score::parse(score).unwrap_or_default(),
            ("veth-native", score) => {
                verdict.veth_native = Score::parse(score).unwrap_or_default();
            }
            ("veth-generic", score) => {
                verdict.veth_generic = Score::parse(score).unwrap_or_default();
            }
            ("vlan", score) => verdict.vlan = Score::parse(score).unwrap_or_default(),
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
        kernel-probe: jited 4321\r\nkernel-probe: golden 7/7\r\n\
        kernel-probe: veth-native 3/3\r\nkernel-probe: veth-generic 3/3\r\n\
        kernel-probe: vlan 5/5\r\nkernel-probe: end of the probe\r\n";

    #[test]
    fn a_good_verdict_is_read_among_noise() {
        let verdict = parse(GOOD);
        assert_eq!(verdict.release, "6.1.0-37-cloud-amd64");
        assert_eq!(verdict.instructions, Some(1234));
        assert_eq!(verdict.jited, Some(4321));
        assert_eq!(verdict.golden.to_string(), "7/7");
        assert!(verdict.is_good(false) && verdict.is_good(true));
    }

    #[test]
    fn silence_refusals_and_failures_are_not_good() {
        assert!(!parse("").is_good(false));
        for (right, wrong) in [
            ("loaded yes", "loaded no"),
            ("golden 7/7", "golden 6/7"),
            ("golden 7/7", "golden 0/0"),
            ("golden 7/7", "golden seven"),
            ("native 3/3", "native 2/3"),
            ("generic 3/3", "generic 0/3"),
            ("vlan 5/5", "vlan 4/5"),
            // It died after it had tried everything.
            ("kernel-probe: end", "panic"),
        ] {
            assert!(
                !parse(&GOOD.replace(right, wrong)).is_good(false),
                "{wrong}"
            );
        }
    }

    #[test]
    fn loading_alone_is_good_if_no_more_was_to_be_tried() {
        let (loaded, end) = (
            &GOOD[..GOOD.find("kernel-probe: golden").expect("it is in it")],
            "kernel-probe: end\r\n",
        );
        let verdict = parse(&format!("{loaded}{end}"));
        assert!(verdict.is_good(true) && !verdict.is_good(false));
        assert_eq!(verdict.golden.to_string(), "-");
    }
}
