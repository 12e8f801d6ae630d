//! Signing by `dnssec-signzone` (Debian's `bind9-utils`).
//!
//! Of Debian's signers it takes all the forms that are wanted, keys from
//! files, and an end of validity far away.
//!
//! On two processors, busy with other work, a million delegations took it 48 s
//! with opt-out, 80 s with NSEC and 190 s with NSEC3, and up to 1.4 GB of
//! memory; `kzonesign` took 139 s for NSEC3 and as much memory.

use std::fs::{self, OpenOptions};
use std::io::{self, BufReader};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail, ensure};
use domain::base::Name;

/// How a zone is signed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, clap::ValueEnum)]
pub enum Signing {
    /// Not at all
    None,
    /// NSEC (RFC 4034 4)
    Nsec,
    /// NSEC3 without salt and iterations (RFC 9276), of every delegation
    Nsec3,
    /// NSEC3 of signed delegations only (RFC 5155 6)
    OptOut,
}

impl Signing {
    /// `none`, `nsec`, `nsec3`, `opt-out`.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Nsec => "nsec",
            Self::Nsec3 => "nsec3",
            Self::OptOut => "opt-out",
        }
    }

    /// Those of `dnssec-signzone`.
    const fn options(self) -> &'static [&'static str] {
        match self {
            Self::None | Self::Nsec => &[],
            Self::Nsec3 => &["-3", "-", "-H", "0"],
            Self::OptOut => &["-3", "-", "-H", "0", "-A"],
        }
    }
}

/// Signatures are valid from the day of the zone's serial to a day that no test
/// will see; both are within 68 years of each other (RFC 4034 3.1.5).
const BEGIN: &str = "20260101000000";
const END: &str = "20900101000000";
const KEY_TTL: &str = "3600";

/// Signs the zone in a file in place, with a key signing key and a zone signing
/// key (ECDSAP256SHA256) that are made for it and thrown away. A folder beside
/// the file holds what is needed meanwhile.
///
/// # Errors
/// When the signer is not there or fails, or a file cannot be written.
pub(super) fn sign(apex: &Name<Vec<u8>>, signing: Signing, file: &Path) -> Result<()> {
    if signing == Signing::None {
        return Ok(());
    }
    let mut folder = file.as_os_str().to_owned();
    folder.push(".signing");
    let folder = PathBuf::from(folder);
    fs::create_dir_all(&folder).with_context(|| format!("create {}", folder.display()))?;
    let signed = sign_in(&format!("{apex}."), signing, file, &folder);
    let removed = fs::remove_dir_all(&folder);
    signed?;
    removed.with_context(|| format!("remove {}", folder.display()))
}

fn sign_in(apex: &str, signing: Signing, file: &Path, folder: &Path) -> Result<()> {
    for kind in [&["-f", "KSK"][..], &[]] {
        let mut keygen = Command::new("dnssec-keygen");
        keygen
            .args(["-q", "-a", "ECDSAP256SHA256", "-L", KEY_TTL, "-K"])
            .arg(folder)
            .args(kind)
            .arg(apex);
        run(&mut keygen)?;
    }
    add_keys(file, folder).context("add the keys to the zone")?;
    let output = folder.join("signed.zone");
    let mut signer = Command::new("dnssec-signzone");
    signer
        // -P: what it has signed is not verified once more.
        .args(["-q", "-P", "-s", BEGIN, "-e", END, "-o", apex])
        .args(signing.options())
        .arg("-K")
        .arg(folder)
        .arg("-d")
        .arg(folder)
        .arg("-f")
        .arg(&output)
        .arg(file);
    run(&mut signer)?;
    fs::rename(&output, file).context("put the signed zone in its place")
}

/// Appends the DNSKEY records of a folder to a zone.
fn add_keys(file: &Path, folder: &Path) -> io::Result<()> {
    let mut zone = OpenOptions::new().append(true).open(file)?;
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.extension().is_some_and(|ending| ending == "key") {
            io::copy(&mut BufReader::new(fs::File::open(path)?), &mut zone)?;
        }
    }
    Ok(())
}

fn run(command: &mut Command) -> Result<()> {
    let name = command.get_program().to_string_lossy().into_owned();
    let output = match command.output() {
        Ok(output) => output,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            bail!("{name} is not there: install bind9-utils")
        }
        Err(error) => return Err(error).with_context(|| format!("start {name}")),
    };
    ensure!(
        output.status.success(),
        "{name} failed: {}",
        String::from_utf8_lossy(&output.stderr).trim()
    );
    Ok(())
}
