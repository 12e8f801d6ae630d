//! The zones that are measured.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, anyhow};
use domain::base::Name;

use super::names;
use super::zone_work::ServedZone;
use crate::conform::zones::unpack;
use crate::synthetic::{self, Labels, Parameters, Profile, Signing};
use crate::zone::cuts::find_cuts;
use crate::zone::records::Denial;
use crate::zone::source::{self, ZoneSource};

/// The real root zone, and names that were asked for at a root server, where
/// they are at hand.
const ROOT_ZONE: &str = "root-2026010500.zone.xz";
const ROOT_NAMES: &str = "root-query-names-2001.txt.xz";
/// Names to make synthetic zones of.
const TLD_NAMES: &str = "nu-delegation-names-20260822.txt.xz";
/// The apex of the synthetic zones, and what they depend on.
const TLD_APEX: &str = "example.";
const TLD_SEED: u64 = 1;
/// In place of the root zone: of this crate.
const EXAMPLE_ZONE: &str = "testdata/example-signed.zone";
const EXAMPLE_APEX: &str = "signed.example.";

/// Where zones come from and are kept.
pub struct Stock {
    /// The folder of real zones and names; it may be missing.
    pub data: PathBuf,
    /// Where zones are unpacked and made, by an absolute path.
    pub cache: PathBuf,
    /// Labels of synthetic delegations.
    labels: Labels,
}

/// The root zone, or what stands in for it, and where its queries are, if
/// there are any.
pub type RealZone = (ServedZone, Option<PathBuf>);

impl Stock {
    /// Looks at what there is.
    ///
    /// # Errors
    ///
    /// The cache cannot be made, or the names cannot be read.
    pub fn open(data: &Path, cache: &Path) -> Result<Self> {
        fs::create_dir_all(cache).with_context(|| format!("create {}", cache.display()))?;
        let cache = fs::canonicalize(cache).context("find the folder of zones")?;
        let names = data.join(TLD_NAMES);
        let labels = match names.exists() {
            true => Labels::read(&names)?,
            false => Labels::made_up(),
        };
        Ok(Self {
            data: data.to_owned(),
            cache,
            labels,
        })
    }

    /// The labels of synthetic zones.
    #[must_use]
    pub fn labels(&self) -> &Labels {
        &self.labels
    }

    /// The zone of the operator; without one the root zone, and without that
    /// the example zone of this project, and says so.
    ///
    /// # Errors
    ///
    /// The zone cannot be unpacked or read, or has no delegation.
    pub fn real(&self, given: Option<&ZoneSource>) -> Result<RealZone> {
        let names = self.data.join(ROOT_NAMES);
        let names = names.exists().then_some(names);
        if let Some(source) = given {
            let names = names.filter(|_| source.apex.is_root());
            return Ok((served(source)?, names));
        }
        let packed = self.data.join(ROOT_ZONE);
        if packed.exists() {
            let path = self.cache.join("root.zone");
            unpack(&packed, &path)?;
            let apex = Name::root_vec();
            return Ok((served(&ZoneSource { apex, path })?, names));
        }
        eprintln!(
            "no root zone at hand: the signed example zone of this project is measured in its \
             place, and goals about the root zone are not judged; --zone .=FILE names one \
             (https://www.internic.net/domain/root.zone)"
        );
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(EXAMPLE_ZONE);
        let apex = Name::vec_from_str(EXAMPLE_APEX)?;
        Ok((served(&ZoneSource { apex, path })?, None))
    }

    /// What a synthetic zone depends on.
    ///
    /// # Errors
    ///
    /// None.
    pub fn parameters(&self, delegations: u64, signing: Signing) -> Result<Parameters> {
        Ok(Parameters {
            apex: Name::vec_from_str(TLD_APEX)?,
            delegations,
            profile: Profile::Plain,
            seed: TLD_SEED,
            signing,
        })
    }

    /// A synthetic TLD, made if it is not there yet.
    ///
    /// # Errors
    ///
    /// It cannot be made.
    pub fn tld(&self, delegations: u64, signing: Signing) -> Result<ServedZone> {
        let parameters = self.parameters(delegations, signing)?;
        let path = synthetic::cached(&parameters, &self.labels, &self.cache)?;
        let mut label = String::new();
        self.labels.shuffle(TLD_SEED).label(0, &mut label);
        let name = match signing {
            Signing::None => names::tld(delegations),
            Signing::OptOut => names::opt_out_tld(delegations),
            Signing::Nsec | Signing::Nsec3 => format!("{} signed", names::tld(delegations)),
        };
        Ok(ServedZone {
            name,
            delegation: Name::vec_from_str(&format!("{label}.{TLD_APEX}"))?,
            source: ZoneSource {
                apex: parameters.apex,
                path,
            },
            delegations,
            is_plain: signing == Signing::None,
        })
    }
}

/// A zone as it is in its file.
fn served(given: &ZoneSource) -> Result<ServedZone> {
    let path = fs::canonicalize(&given.path);
    let path = path.with_context(|| format!("find {}", given.path.display()))?;
    let apex = given.apex.clone();
    let source = ZoneSource { apex, path };
    let zones = [source::load(&source).map_err(|errors| anyhow!("{errors}"))?];
    let cuts = find_cuts(&zones, &[]);
    let first = cuts.delegations.first();
    let first = first.with_context(|| format!("{source}: the zone has no delegation"))?;
    let [zone] = &zones;
    Ok(ServedZone {
        name: match source.apex.is_root() {
            true => names::ROOT.to_owned(),
            false => source.apex.fmt_with_dot().to_string(),
        },
        delegation: Name::from_octets(first.cut.as_slice().to_vec())?,
        delegations: cuts.delegations.len() as u64,
        is_plain: zone.denial() == Denial::Unsigned,
        source,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Folder(PathBuf);

    impl Folder {
        fn new(name: &str) -> Self {
            let folder = format!("dns-glue-stock-{name}-{}", std::process::id());
            Self(std::env::temp_dir().join(folder))
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    #[test]
    fn the_example_stands_in_for_the_root() {
        let folder = Folder::new("example");
        let stock = Stock::open(&folder.0.join("nothing"), &folder.0).unwrap();
        let (zone, names) = stock.real(None).unwrap();
        assert_eq!((zone.name.as_str(), names), ("signed.example.", None));
        assert!(!zone.is_plain);
        assert!(zone.delegation.ends_with(&zone.source.apex));
    }

    #[test]
    fn a_zone_of_the_operator_is_taken_as_it_is() {
        let folder = Folder::new("own");
        let stock = Stock::open(&folder.0.join("nothing"), &folder.0).unwrap();
        let path = folder.0.join("own.zone");
        let text = "@ 60 SOA a. b. 1 2 3 4 5\n@ 60 NS a.\ny 60 NS a.\nx 60 NS a.\n";
        fs::write(&path, text).unwrap();
        let source = ZoneSource {
            apex: Name::vec_from_str("own.").unwrap(),
            path,
        };
        let (zone, names) = stock.real(Some(&source)).unwrap();
        assert_eq!((zone.name.as_str(), names), ("own.", None));
        assert_eq!(zone.delegation.to_string(), "x.own");
        assert_eq!((zone.delegations, zone.is_plain), (2, true));
    }

    #[test]
    fn the_delegation_of_a_synthetic_zone_is_in_its_file() {
        let folder = Folder::new("tld");
        let stock = Stock::open(&folder.0.join("nothing"), &folder.0).unwrap();
        let zone = stock.tld(50, Signing::None).unwrap();
        let read = served(&zone.source).unwrap();
        assert_eq!((zone.name.as_str(), read.delegations), ("TLD 50", 50));
        let zones = [source::load(&zone.source).unwrap_or_else(|errors| panic!("{errors}"))];
        let cuts = find_cuts(&zones, &[]);
        let cut = |name: &Name<Vec<u8>>| {
            let mut all = cuts.delegations.iter();
            all.any(|delegation| delegation.cut.as_slice() == name.as_slice())
        };
        assert!(cut(&zone.delegation));
    }
}
