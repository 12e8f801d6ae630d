//! Zones signed by Debian's signers when a test runs: body.inc, denial.inc and
//! octets.inc with NSEC3, in the forms that matter to denials.

use std::path::{Path, PathBuf};
use std::process::Command;

use dns_glue::testbed::needs;

use super::{ZoneFile, testdata};

/// Who signs.
#[derive(Clone, Copy, Debug)]
enum Signer {
    /// `dnssec-signzone` of BIND.
    Bind,
    /// `kzonesign` of Knot.
    Knot,
}

/// A signed form of the zone.
#[derive(Clone, Copy, Debug)]
struct Form {
    apex: &'static str,
    signer: Signer,
    opt_out: bool,
    /// In hex; "-" for none. Knot's signer makes up its own of the same length.
    salt: &'static str,
    iterations: u16,
}

/// What is signed. The signers disagree on which empty non-terminals get an
/// NSEC3 under opt-out, so both are asked.
const FORMS: [Form; 5] = [
    Form {
        apex: "nsec3.example.",
        signer: Signer::Bind,
        opt_out: false,
        salt: "-",
        iterations: 0,
    },
    Form {
        apex: "salted.example.",
        signer: Signer::Bind,
        opt_out: false,
        salt: "aabbccdd00ff1122",
        iterations: 12,
    },
    Form {
        apex: "optout.example.",
        signer: Signer::Bind,
        opt_out: true,
        salt: "-",
        iterations: 0,
    },
    Form {
        apex: "knot.example.",
        signer: Signer::Knot,
        opt_out: false,
        salt: "-",
        iterations: 0,
    },
    Form {
        apex: "knotout.example.",
        signer: Signer::Knot,
        opt_out: true,
        salt: "00112233",
        iterations: 3,
    },
];

/// Signs every form, in `folder`. `None` with a printed reason when a signer is
/// not installed; then `DNS_GLUE_REQUIRE_PEERS=1` fails the test.
pub fn nsec3_zones(folder: &Path) -> Option<Vec<ZoneFile>> {
    for (program, package) in [
        ("dnssec-keygen", "bind9-utils"),
        ("dnssec-signzone", "bind9-utils"),
        ("kzonesign", "knot-dnssecutils"),
    ] {
        needs::peer(program, package)?;
    }
    let zones = FORMS.map(|form| ZoneFile {
        apex: form.apex,
        path: form.sign(folder),
    });
    Some(zones.into())
}

impl Form {
    /// Signs it in a folder of its own; the signed zone's file.
    fn sign(&self, folder: &Path) -> PathBuf {
        let folder = folder.join(self.apex.trim_end_matches('.'));
        // Keys of an earlier run would sign as well.
        let _ = std::fs::remove_dir_all(&folder);
        std::fs::create_dir_all(&folder).expect("make a folder");
        let mut text = format!("$ORIGIN {}\n", self.apex);
        let files: &[&str] = match self.signer {
            // It writes some octets without an escape that Knot wants.
            Signer::Bind => &["body.inc", "denial.inc"],
            Signer::Knot => &["body.inc", "denial.inc", "octets.inc"],
        };
        for file in files {
            let path = testdata().join(file);
            text += &std::fs::read_to_string(path).expect("read the test zone");
        }
        let unsigned = folder.join("unsigned.zone");
        std::fs::write(&unsigned, text).expect("write the unsigned zone");
        match self.signer {
            Signer::Bind => self.sign_by_bind(&folder, &unsigned),
            Signer::Knot => self.sign_by_knot(&folder, &unsigned),
        }
    }

    fn sign_by_bind(&self, folder: &Path, unsigned: &Path) -> PathBuf {
        let mut keygen = Command::new("/usr/bin/dnssec-keygen");
        keygen.args(["-q", "-a", "ECDSAP256SHA256", "-f", "KSK", "-K"]);
        run(keygen.arg(folder).arg(self.apex));
        let signed = folder.join("signed.zone");
        let mut signer = Command::new("/usr/bin/dnssec-signzone");
        // One key signs all, and nothing is verified: names, not keys, count.
        signer.args(["-q", "-z", "-P", "-S", "-O", "full"]);
        signer.args(["-s", "20260101000000", "-e", "20900101000000"]);
        signer.args(["-3", self.salt, "-H", &self.iterations.to_string()]);
        if self.opt_out {
            signer.arg("-A");
        }
        signer.arg("-o").arg(self.apex).arg("-K").arg(folder);
        signer.arg("-f").arg(&signed).arg(unsigned);
        // It leaves the DS records of its keys there.
        signer.current_dir(folder);
        run(&mut signer);
        signed
    }

    fn sign_by_knot(&self, folder: &Path, unsigned: &Path) -> PathBuf {
        let output = folder.join("signed");
        std::fs::create_dir_all(&output).expect("make a folder");
        let config = folder.join("knot.conf");
        let salt_octets = self.salt.trim_matches('-').len() / 2;
        let opt_out = if self.opt_out { "on" } else { "off" };
        let text = format!(
            "database:\n    storage: {folder}\n\
             policy:\n  - id: nsec3\n    single-type-signing: on\n    nsec3: on\n    \
             nsec3-opt-out: {opt_out}\n    nsec3-iterations: {iterations}\n    \
             nsec3-salt-length: {salt_octets}\n\
             zone:\n  - domain: {apex}\n    file: {file}\n    dnssec-policy: nsec3\n",
            folder = folder.display(),
            iterations = self.iterations,
            apex = self.apex,
            file = unsigned.display(),
        );
        std::fs::write(&config, text).expect("write knot.conf");
        let mut signer = Command::new("/usr/bin/kzonesign");
        signer.arg("-c").arg(&config).arg("-o").arg(&output);
        run(signer.arg(self.apex));
        let mut files = std::fs::read_dir(&output).expect("read a folder");
        let file = files.next().expect("kzonesign writes a file");
        file.expect("read a folder").path()
    }
}

/// Runs a signer to its end; its words are shown if it fails.
fn run(command: &mut Command) {
    let output = command.output().expect("run a signer");
    assert!(
        output.status.success(),
        "{command:?}\n{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
}
