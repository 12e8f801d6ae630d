//! Zones in the shape of a TLD, of any size: for tests, comparisons and
//! measurements.
//!
//! A zone is a function of its [`Parameters`] and of the list of names: the
//! same ones give the same octets. Delegations are a function of the seed and
//! of their number, so those of a zone of 10,000 are the first 10,000 of a
//! zone of a million. It is written as it is made; nothing but the list is
//! held in memory.
//!
//! | matter | share or distribution | source |
//! |---|---|---|
//! | labels | a list's, in the order of the seed; after its end, and without one, made up: lengths of .nu, but at least 6 octets | names of .nu, 2026-08-22 |
//! | name servers of a delegation | 2: 70 %, 4: 20 %, 3: 6 %, 5: 2 %, 6: 2 % | gTLD zones, August 2025: 68 to 73 % have 2, 18 to 20 % have 4; the rest is assumed |
//! | sets of name servers | one for 12 delegations; popularity by Zipf's law with an exponent of 0.92; 4 % of delegations have one of their own | the shape of TLD zones; Simon's process with 8 % gives all three |
//! | in-domain name servers ([`Profile::Plain`]) | 0.2 % of delegations; no siblings | gTLD zones: 0.06 to 0.2 % |
//! | in-domain and sibling ([`Profile::InDomain`]) | 15 % each | assumed: the hard case |
//! | glue | A and AAAA for every in-domain name server (198.18.0.0/15, RFC 2544; 2001:db8::/32, RFC 3849) | assumed |
//! | DS, in a zone that is to be signed | 6 % of delegations; of these algorithm 13 for 75 %, 8 for 25 %, digest type 2; 5 % have a second DS of the other algorithm | gTLD zones: 6 %; the rest is assumed |
//! | TTLs | NS and glue 172800, DS 86400, SOA and its minimum 900 | com. |
//! | apex | SOA; four NS: three below `nic`, with addresses that are the zone's own, and one outside | assumed |
//!
//! Shares of name servers hold exactly in each thousand delegations; the share
//! of DS and of sets is drawn.

mod draw;
mod labels;
mod servers;
mod sign;
mod zone_text;

use std::fs::{self, File};
use std::io::BufWriter;
use std::path::{Path, PathBuf};
use std::process;

use anyhow::{Context as _, Result};
use domain::base::Name;

pub use labels::{Labels, MAX_LABELS, Shuffled};
pub use sign::Signing;
pub use zone_text::write;

/// To be raised when the same parameters give other octets than before.
const EDITION: u32 = 1;

/// The kinds of glue in a zone.
#[derive(Clone, Copy, PartialEq, Eq, Debug, clap::ValueEnum)]
pub enum Profile {
    /// As TLDs are: nearly all name servers are outside the zone
    Plain,
    /// The hard case: 15 % in-domain, 15 % sibling glue
    InDomain,
}

/// What a zone depends on, but for the list of names.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Parameters {
    /// The name of the zone; neither the root nor a TLD that name servers
    /// outside the zone are in (com, net, org, se).
    pub apex: Name<Vec<u8>>,
    /// At most 2^31.
    pub delegations: u64,
    /// The kinds of glue.
    pub profile: Profile,
    /// Everything that is drawn.
    pub seed: u64,
    /// How the zone is signed; one that is not has no DS either.
    pub signing: Signing,
}

/// Writes the zone into a file, which is replaced when all is well, and signs
/// it. Before signing the same parameters give the same octets; keys and
/// signatures are new each time.
///
/// # Errors
/// When the parameters are not what they must be, a file cannot be written, or
/// the signer is missing or fails.
pub fn make(parameters: &Parameters, labels: &Labels, file: &Path) -> Result<()> {
    let mut draft = file.as_os_str().to_owned();
    draft.push(format!(".draft-{}", process::id()));
    let draft = PathBuf::from(draft);
    let made = write_and_sign(parameters, labels, &draft).and_then(|()| {
        fs::rename(&draft, file).with_context(|| format!("write {}", file.display()))
    });
    if made.is_err() {
        // There may be none; the first error is the one to tell.
        let _ = fs::remove_file(&draft);
    }
    made
}

fn write_and_sign(parameters: &Parameters, labels: &Labels, draft: &Path) -> Result<()> {
    let open = File::create(draft).map(|file| BufWriter::with_capacity(1 << 20, file));
    open.and_then(|mut writer| write(parameters, labels, &mut writer))
        .with_context(|| format!("write {}", draft.display()))?;
    sign::sign(&parameters.apex, parameters.signing, draft)
}

/// The zone's file in a folder, made by [`make`] if it is not there yet.
///
/// # Errors
/// As [`make`], and when the folder cannot be created.
pub fn cached(parameters: &Parameters, labels: &Labels, folder: &Path) -> Result<PathBuf> {
    let file = folder.join(file_name(parameters, labels));
    if !file.exists() {
        fs::create_dir_all(folder).with_context(|| format!("create {}", folder.display()))?;
        make(parameters, labels, &file)?;
    }
    Ok(file)
}

/// All that the zone depends on, in one name.
fn file_name(parameters: &Parameters, labels: &Labels) -> String {
    let profile = match parameters.profile {
        Profile::Plain => "plain",
        Profile::InDomain => "in-domain",
    };
    format!(
        "{}-{}-{profile}-{}-seed{}-list{}-v{EDITION}.zone",
        parameters.apex,
        parameters.delegations,
        parameters.signing.name(),
        parameters.seed,
        labels.listed(),
    )
}
