//! What is served, and for how long it is asked.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result};
use domain::base::Name;

use crate::packed;
use crate::synthetic::{self, Labels, Parameters, Profile, Signing};
use crate::zone::source::ZoneSource;

/// Zones that are served together.
#[derive(Clone, Debug)]
pub struct Group {
    /// What the table calls it.
    pub name: String,
    /// The zones.
    pub zones: Vec<ZoneSource>,
    /// `--max-udp`, of the servers too.
    pub max_udp: u16,
}

/// The real zones, by the name of the group: the root zones of two days, each
/// with two children that are served on the same host.
const REAL: [(&str, [(&str, &str); 3]); 2] = [
    (
        "root 2026010500",
        [
            (".", "root-2026010500.zone"),
            ("arpa.", "arpa-20260106.zone"),
            ("root-servers.net.", "root-servers.net-20260106.zone"),
        ],
    ),
    (
        "root 2026010601",
        [
            (".", "root-2026010601.zone"),
            ("arpa.", "arpa-20260106.zone"),
            ("root-servers.net.", "root-servers.net-20260106.zone"),
        ],
    ),
];
/// The apex of the synthetic zones.
const SYNTHETIC: &str = "example.";
/// Names to make synthetic zones of, if they are there.
const NAMES: &str = "nu-delegation-names-20260822.txt.xz";

/// The root zones with arpa and root-servers.net, unpacked into `folder`; those
/// of which `data` has the files.
///
/// # Errors
///
/// A file cannot be unpacked.
pub fn real(data: &Path, folder: &Path, max_udp: u16) -> Result<Vec<Group>> {
    let mut groups = Vec::new();
    for (name, files) in REAL {
        let packed = |file: &str| data.join(format!("{file}.xz"));
        if !files.iter().all(|(_, file)| packed(file).exists()) {
            eprintln!("{name}: not in {}, left out", data.display());
            continue;
        }
        let zones: Result<Vec<ZoneSource>> = files
            .iter()
            .map(|(apex, file)| {
                let path = folder.join(file);
                unpack(&packed(file), &path)?;
                Ok(ZoneSource {
                    apex: Name::vec_from_str(apex)?,
                    path,
                })
            })
            .collect();
        groups.push(Group {
            name: name.to_owned(),
            zones: zones?,
            max_udp,
        });
    }
    Ok(groups)
}

/// The synthetic TLD in all its forms, of so many delegations each.
///
/// # Errors
///
/// They cannot be made.
pub fn synthetic(
    data: &Path,
    folder: &Path,
    delegations: u64,
    seed: u64,
    max_udp: u16,
) -> Result<Vec<Group>> {
    let names = data.join(NAMES);
    let labels = if names.exists() {
        Labels::read(&names)?
    } else {
        Labels::made_up()
    };
    let forms = [
        ("unsigned", Profile::Plain, Signing::None),
        ("NSEC", Profile::Plain, Signing::Nsec),
        ("NSEC3", Profile::Plain, Signing::Nsec3),
        ("opt-out", Profile::Plain, Signing::OptOut),
        ("in-domain", Profile::InDomain, Signing::None),
        ("in-domain opt-out", Profile::InDomain, Signing::OptOut),
    ];
    let group = |(name, profile, signing)| {
        let parameters = Parameters {
            apex: Name::vec_from_str(SYNTHETIC)?,
            delegations,
            profile,
            seed,
            signing,
        };
        let path = synthetic::cached(&parameters, &labels, folder)?;
        // A server reads it from another folder.
        let path = fs::canonicalize(path)?;
        Ok(Group {
            name: format!("TLD {name}"),
            zones: vec![ZoneSource {
                apex: parameters.apex,
                path,
            }],
            max_udp,
        })
    };
    forms.into_iter().map(group).collect()
}

/// Unpacks a real zone as the servers take it. Whoever reads the file meanwhile
/// has a whole zone: the old one or the new.
///
/// # Errors
///
/// The file cannot be read or unpacked, or written.
pub fn unpack(packed: &Path, file: &Path) -> Result<()> {
    let text = packed::read_to_string(packed);
    let text = text.with_context(|| format!("read {}", packed.display()))?;
    let unfinished = file.with_extension(format!("unpacked-{}", std::process::id()));
    fs::write(&unfinished, format!("{}\n", without_last_soa(&text)))
        .and_then(|()| fs::rename(&unfinished, file))
        .with_context(|| format!("write {}", file.display()))
}

/// A zone that was transferred has its SOA record once more at its end, which
/// NSD takes for an error.
fn without_last_soa(text: &str) -> &str {
    let text = text.trim_end_matches('\n');
    let (records, last) = text.rsplit_once('\n').unwrap_or(("", text));
    let is_soa = last.split_whitespace().nth(3) == Some("SOA");
    if is_soa { records } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_second_soa_is_left_out() {
        let zone = ". 1 IN SOA a. b. 1 2 3 4 5\n. 1 IN NS a.";
        assert_eq!(without_last_soa(zone), zone);
        let transferred = format!("{zone}\n. 1 IN SOA a. b. 1 2 3 4 5\n");
        assert_eq!(without_last_soa(&transferred), zone);
    }
}
