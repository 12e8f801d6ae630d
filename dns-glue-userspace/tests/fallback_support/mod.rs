//! What the tests of the fallback share: zones, queries, replies in a form
//! that can be compared, and Knot as a child process.

#![allow(dead_code, reason = "each test binary uses a part")]

pub mod knot;
pub mod reply;
pub mod signed;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use dns_glue::serve::fallback::FallbackZones;
use dns_glue::zone::master_file;
use dns_glue::zone::records::{NameRef, Zone};
use domain::base::iana::Class;
use domain::base::{Name, Rtype};

/// A zone file and its apex.
#[derive(Clone, Debug)]
pub struct ZoneFile {
    /// The apex, as text with a final dot.
    pub apex: &'static str,
    /// Where it lies.
    pub path: PathBuf,
}

/// The folder of test zones.
pub fn testdata() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/fallback")
}

/// The project's own zones: one set of contents unsigned and signed, a child
/// of each, and a bystander.
pub fn own_zones() -> Vec<ZoneFile> {
    [
        ("plain.example.", "plain.zone"),
        ("signed.example.", "signed.zone"),
        ("child.plain.example.", "child.zone"),
        ("child.signed.example.", "child.zone"),
        ("other.example.", "other.zone"),
    ]
    .map(|(apex, file)| ZoneFile {
        apex,
        path: testdata().join(file),
    })
    .into()
}

/// The folder of real zones, which are not part of the repository.
pub fn data() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data")
}

/// The contents of an xz file.
pub fn unpack(packed: &Path) -> Vec<u8> {
    let output = std::process::Command::new("xz")
        .arg("-dc")
        .arg(packed)
        .output()
        .expect("run xz");
    assert!(output.status.success(), "xz -dc {}", packed.display());
    output.stdout
}

/// The root, arpa and root-servers.net, unpacked into `folder`; `None` with a
/// printed reason when the data is not there.
pub fn real_zones(folder: &Path) -> Option<Vec<ZoneFile>> {
    let mut zones = Vec::new();
    for (apex, file) in [
        (".", "root-2026010500.zone"),
        ("arpa.", "arpa-20260106.zone"),
        ("root-servers.net.", "root-servers.net-20260106.zone"),
    ] {
        let packed = data().join(format!("{file}.xz"));
        if !packed.exists() {
            println!("SKIPPED: no {}", packed.display());
            return None;
        }
        let path = folder.join(file);
        std::fs::write(&path, unpack(&packed)).expect("write the unpacked zone");
        zones.push(ZoneFile { apex, path });
    }
    Some(zones)
}

/// Reads zones for the fallback.
pub fn load(files: &[ZoneFile]) -> FallbackZones {
    FallbackZones::new(files.iter().map(load_zone)).expect("zones that can be served")
}

/// Reads one zone.
pub fn load_zone(file: &ZoneFile) -> Arc<Zone> {
    let zone = master_file::read_file(&name(file.apex), &file.path);
    Arc::new(zone.unwrap_or_else(|errors| panic!("{errors}")))
}

/// A name from text.
pub fn name(text: &str) -> Name<Vec<u8>> {
    Name::vec_from_str(text).expect("a name")
}

/// A name from labels and a suffix; `None` if it would be too long.
pub fn below(labels: &[&[u8]], suffix: &NameRef) -> Option<Name<Vec<u8>>> {
    let mut octets = Vec::new();
    for label in labels {
        octets.push(u8::try_from(label.len()).expect("a label"));
        octets.extend_from_slice(label);
    }
    octets.extend_from_slice(suffix.as_slice());
    Name::from_octets(octets).ok()
}

/// The OPT record of a query.
#[derive(Clone, Copy, Debug)]
pub struct Edns {
    /// The requestor's UDP size, octets.
    pub size: u16,
    /// The DO flag.
    pub dnssec_ok: bool,
}

/// An ordinary query, as octets.
pub fn query(id: u16, qname: &NameRef, qtype: Rtype, edns: Option<Edns>) -> Vec<u8> {
    let mut octets = Vec::with_capacity(300);
    octets.extend_from_slice(&id.to_be_bytes());
    octets.extend_from_slice(&[0, 0, 0, 1, 0, 0, 0, 0, 0, u8::from(edns.is_some())]);
    octets.extend_from_slice(qname.as_slice());
    octets.extend_from_slice(&qtype.to_int().to_be_bytes());
    octets.extend_from_slice(&Class::IN.to_int().to_be_bytes());
    if let Some(Edns { size, dnssec_ok }) = edns {
        octets.extend_from_slice(&[0, 0, 41]);
        octets.extend_from_slice(&size.to_be_bytes());
        octets.extend_from_slice(&[0, 0, u8::from(dnssec_ok) << 7, 0, 0, 0]);
    }
    octets
}

/// A small generator of pseudo-random numbers (SplitMix64), so that a seed
/// alone repeats a run.
pub struct Random(pub u64);

impl Random {
    /// The next number.
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut word = self.0;
        word = (word ^ (word >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        word ^ (word >> 31)
    }

    /// A number below `bound`.
    pub fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.next() % u64::try_from(bound).expect("64 bits")).expect("below bound")
    }

    /// One of several.
    pub fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.below(from.len())]
    }

    /// The same name in another case.
    pub fn mix_case(&mut self, name: &NameRef) -> Name<Vec<u8>> {
        let mut octets = name.as_slice().to_vec();
        for octet in &mut octets {
            if octet.is_ascii_alphabetic() && self.next() & 1 == 0 {
                *octet ^= 0x20;
            }
        }
        // A length octet is at most 63, so none is a letter.
        Name::from_octets(octets).expect("case does not change a name's shape")
    }
}
