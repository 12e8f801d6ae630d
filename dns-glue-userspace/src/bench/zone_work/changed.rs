//! A zone as its next version: the serial is one higher, and it has one
//! delegation more.

use std::fs::{self, File};
use std::io::{self, BufReader, BufWriter, Read as _, Write as _};
use std::ops::Range;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use domain::base::Name;

use super::ServedZone;
use crate::zone::source::ZoneSource;

/// Octets at the beginning of a zone file in which its SOA record is looked
/// for.
const HEAD_OCTETS: u64 = 64 << 10;

/// The changed zone; its file goes when dropped.
pub struct Changed {
    /// The zone and its file.
    pub source: ZoneSource,
    /// The delegation that only it has.
    pub delegation: Name<Vec<u8>>,
}

impl Changed {
    /// Writes it into a folder. The zone must not be signed: what is added has
    /// no signature.
    ///
    /// # Errors
    ///
    /// The file cannot be read or written, or no SOA record with a serial is
    /// found in its first 64 KiB.
    pub fn new(zone: &ServedZone, folder: &Path) -> Result<Self> {
        let path: PathBuf = folder.join("changed.zone");
        let apex = zone.source.apex.fmt_with_dot().to_string();
        // No label of the generator has two hyphens.
        let delegation = format!("added--later.{}", apex.trim_start_matches('.'));
        write(&zone.source.path, &path, &delegation)
            .with_context(|| format!("write {} as {}", zone.source, path.display()))?;
        Ok(Self {
            source: ZoneSource {
                apex: zone.source.apex.clone(),
                path,
            },
            delegation: Name::vec_from_str(&delegation).context("a name")?,
        })
    }
}

impl Drop for Changed {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_file(&self.source.path) {
            eprintln!("{}: {error}", self.source.path.display());
        }
    }
}

fn write(from: &Path, to: &Path, delegation: &str) -> Result<()> {
    let mut from = BufReader::new(File::open(from)?);
    let mut head = Vec::new();
    from.by_ref().take(HEAD_OCTETS).read_to_end(&mut head)?;
    let (place, serial) = serial(&head).context("no SOA record with a serial at its beginning")?;
    let next = serial.wrapping_add(1).to_string();
    head.splice(place, next.bytes());
    let mut to = BufWriter::new(File::create(to)?);
    to.write_all(&head)?;
    io::copy(&mut from, &mut to)?;
    for server in ["ns1", "ns2"] {
        writeln!(to, "{delegation} 3600 IN NS {server}.dns.example.com.")?;
    }
    to.flush()?;
    Ok(())
}

/// The serial of the first SOA record and where it is: the third word behind
/// the type (RFC 1035 section 3.3.13).
fn serial(text: &[u8]) -> Option<(Range<usize>, u32)> {
    let mut words = Words { text, place: 0 };
    words.find(|word| {
        text.get(word.clone())
            .is_some_and(|word| word.eq_ignore_ascii_case(b"SOA"))
    })?;
    let place = words.nth(2)?;
    // One that ends with the text may go on behind it.
    let whole = place.end < text.len();
    let digits = std::str::from_utf8(text.get(place.clone())?).ok()?;
    whole.then_some((place, digits.parse().ok()?))
}

/// The words of master file text, without parentheses and remarks.
struct Words<'t> {
    text: &'t [u8],
    place: usize,
}

impl Iterator for Words<'_> {
    type Item = Range<usize>;

    fn next(&mut self) -> Option<Range<usize>> {
        let between =
            |octet: u8| octet.is_ascii_whitespace() || matches!(octet, b'(' | b')' | b';');
        let mut is_remark = false;
        let rest = self.text.get(self.place..)?;
        let start = rest.iter().position(|octet| {
            is_remark = *octet == b';' || is_remark && *octet != b'\n';
            !is_remark && !between(*octet)
        })?;
        let word = rest.get(start..)?;
        let end = word.iter().position(|octet| between(*octet));
        let start = self.place + start;
        let end = start + end.unwrap_or(word.len());
        self.place = end;
        Some(start..end)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_changed_zone_has_one_delegation_more_and_the_next_serial() {
        let folder = std::env::temp_dir().join(format!("dns-glue-changed-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let path = folder.join("some.zone");
        fs::write(&path, "@ 60 SOA a. b. 9 2 3 4 5\n@ 60 NS a.\nx 60 NS a.\n").unwrap();
        let zone = ServedZone {
            name: "some".into(),
            source: ZoneSource {
                apex: Name::vec_from_str("test.").unwrap(),
                path,
            },
            delegations: 1,
            delegation: Name::vec_from_str("x.test.").unwrap(),
            is_plain: true,
        };
        let changed = Changed::new(&zone, &folder).unwrap();
        let text = fs::read_to_string(&changed.source.path).unwrap();
        assert!(text.starts_with("@ 60 SOA a. b. 10 2 3 4 5\n"), "{text}");
        let read = crate::zone::source::load(&changed.source);
        let zones = [read.unwrap_or_else(|errors| panic!("{errors}"))];
        let cuts = crate::zone::cuts::find_cuts(&zones, &[]);
        let names: Vec<String> = cuts
            .delegations
            .iter()
            .map(|delegation| delegation.cut.fmt_with_dot().to_string())
            .collect();
        assert_eq!(names, ["added--later.test.", "x.test."]);
        assert_eq!(changed.delegation.fmt_with_dot().to_string(), names[0]);
        drop(changed);
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 1);
        fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn the_serial_is_found_behind_remarks_and_parentheses() {
        for (text, found) in [
            ("@ SOA a. b. 7 1", Some(7)),
            (
                "; SOA x y 1\n@ IN soa a. b. ( ; 5\n 42 ; serial\n 1 )",
                Some(42),
            ),
            ("@ SOA a. b.(8)1", Some(8)),
            ("@ SOA a. b. 7", None),
            ("@ SOA a. b. x 1", None),
            ("@ NS a. b. 7 1", None),
        ] {
            let serial = serial(text.as_bytes());
            assert_eq!(serial.map(|(_, serial)| serial), found, "{text}");
        }
    }
}
