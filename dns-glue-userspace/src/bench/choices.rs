//! What is measured, and where things are.

use std::path::{Path, PathBuf};

use clap::{ValueEnum as _, value_parser};

use super::circumstances::Chosen;
use super::contender::Contender;
use super::workload::Extent;
use super::workload::messages::MAX_QUERIES;
use super::workload::tld::MAX_DELEGATIONS;
use super::zone_work::ServedZone;
use crate::synthetic::Signing;
use crate::zone::source::ZoneSource;

/// What the choice of queries depends on.
const SEED: u64 = 1;
/// Queries of a workload that is drawn.
const QUERIES: usize = 1_000_000;
const QUICK_QUERIES: usize = 100_000;
/// Delegations of synthetic zones.
pub const SMALL: u64 = 10_000;
const LARGE: u64 = 1_000_000;
const LARGEST: u64 = 10_000_000;
/// How often processes are started for a zone, unless it is the largest.
const ROUNDS: usize = 3;
/// Rounds under load.
const LOAD_ROUNDS: usize = 5;
const QUICK_LOAD_ROUNDS: usize = 3;

/// A part of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Part {
    /// Contenders under load
    Load,
    /// What it takes to serve a zone
    Zone,
    /// The program alone, on frames in memory
    Cases,
}

/// What to measure, and where things are.
#[derive(Clone, Debug, clap::Args)]
pub struct Choices {
    /// The largest synthetic zone too, of 10 million delegations
    #[arg(long)]
    pub full: bool,
    /// The largest synthetic zone signed too, which takes long to sign
    #[arg(long, requires = "full")]
    pub sign_largest: bool,
    /// Small zones and few rounds, for a first look
    #[arg(long, conflicts_with = "full")]
    pub quick: bool,
    /// Unsigned synthetic zones of so many delegations, instead of the usual
    /// ones
    #[arg(long = "tld", value_name = "NUMBER", num_args = 1..)]
    #[arg(value_parser = value_parser!(u64).range(1..=MAX_DELEGATIONS))]
    pub tlds: Vec<u64>,
    /// One part only
    #[arg(long, value_enum)]
    pub only: Option<Part>,
    /// Who takes part under load; all who are installed if nobody is named
    #[arg(long = "contender", value_name = "NAME", num_args = 1..)]
    pub contenders: Vec<Contender>,
    /// The zone beside the synthetic ones; without it the root zone if it is
    /// at hand
    #[arg(long, value_name = "ORIGIN=FILE")]
    pub zone: Option<ZoneSource>,
    /// What that zone is asked for: lines of `QNAME QTYPE`, as for dnsperf
    #[arg(long, value_name = "FILE")]
    pub queries: Option<PathBuf>,
    /// Where bench.json, bench.svg and bench.md are written
    #[arg(long, value_name = "FOLDER")]
    pub out: PathBuf,
    /// The folder of real zones and names
    #[arg(long, value_name = "FOLDER")]
    pub data: PathBuf,
    /// Where zones are unpacked and made, once
    #[arg(long, value_name = "FOLDER")]
    pub cache: PathBuf,
    /// The folder of the programs that are started
    #[arg(long, value_name = "FOLDER")]
    pub binaries: PathBuf,
    /// The commit of the sources, which is written to bench.json
    #[arg(long, value_name = "COMMIT")]
    pub commit: Option<String>,
}

impl Choices {
    /// Whether a part is measured.
    #[must_use]
    pub fn wants(&self, part: Part) -> bool {
        self.only.is_none_or(|only| only == part)
    }

    /// What is drawn for a zone of so many delegations. Of a large one so much
    /// that no cache holds what belongs to it.
    #[must_use]
    pub fn extent(&self, delegations: u64) -> Extent {
        let queries = match (self.quick, delegations > LARGE) {
            (true, _) => QUICK_QUERIES,
            (false, true) => MAX_QUERIES,
            (false, false) => QUERIES,
        };
        Extent {
            queries,
            seed: SEED,
        }
    }

    /// The synthetic zones: delegations and how they are signed.
    #[must_use]
    pub fn synthetic(&self) -> Vec<(u64, Signing)> {
        if !self.tlds.is_empty() {
            let plain = |delegations: &u64| (*delegations, Signing::None);
            return self.tlds.iter().map(plain).collect();
        }
        let mut zones = vec![(SMALL, Signing::None)];
        if !self.quick {
            zones.push((LARGE, Signing::None));
            zones.push((LARGE, Signing::OptOut));
        }
        if self.full {
            zones.push((LARGEST, Signing::None));
        }
        if self.sign_largest {
            zones.push((LARGEST, Signing::OptOut));
        }
        zones
    }

    /// The size at which mixes and floods are asked for; of those that were
    /// named the largest at which servers take part, if there is one.
    #[must_use]
    pub fn size_of_mixes(&self) -> Option<u64> {
        match (self.tlds.is_empty(), self.quick) {
            (true, true) => Some(SMALL),
            (true, false) => Some(LARGE),
            (false, _) => {
                let sizes = self.tlds.iter().copied();
                sizes.filter(|delegations| *delegations <= LARGE).max()
            }
        }
    }

    /// How often processes are started for a zone.
    #[must_use]
    pub fn rounds(&self, zone: &ServedZone) -> usize {
        match self.quick || zone.delegations > LARGE {
            true => 1,
            false => ROUNDS,
        }
    }

    /// Rounds in which each contender has its turn under load.
    #[must_use]
    pub fn load_rounds(&self) -> usize {
        if self.quick {
            QUICK_LOAD_ROUNDS
        } else {
            LOAD_ROUNDS
        }
    }

    /// What a run depends on.
    #[must_use]
    pub fn chosen(&self) -> Chosen {
        let all = Contender::ALL.to_vec();
        let contenders = match self.contenders.is_empty() {
            true => all,
            false => self.contenders.clone(),
        };
        Chosen {
            commit: self.commit.clone(),
            options: self.options(),
            seed: SEED,
            rounds: self.load_rounds() as u64,
            contenders: contenders.iter().map(ToString::to_string).collect(),
        }
    }

    /// The options as they were given, without folders: files by their names.
    fn options(&self) -> Vec<String> {
        let mut options = Vec::new();
        for (flag, is_set) in [
            ("--full", self.full),
            ("--sign-largest", self.sign_largest),
            ("--quick", self.quick),
        ] {
            options.extend(is_set.then(|| flag.to_owned()));
        }
        let file = |path: &Path| {
            let name = path.file_name().unwrap_or_default();
            name.to_string_lossy().into_owned()
        };
        options.extend(self.tlds.iter().map(|number| format!("--tld {number}")));
        let only = self.only.as_ref().and_then(Part::to_possible_value);
        options.extend(only.map(|part| format!("--only {}", part.get_name())));
        let contenders = self.contenders.iter();
        options.extend(contenders.map(|one| format!("--contender {one}")));
        options.extend(self.zone.as_ref().map(|source| {
            let apex = source.apex.fmt_with_dot();
            format!("--zone {apex}={}", file(&source.path))
        }));
        let queries = self.queries.as_ref();
        options.extend(queries.map(|path| format!("--queries {}", file(path))));
        options
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use clap::Parser as _;

    use super::*;

    /// A quick run under load, with everything in a folder.
    pub(crate) fn choices(folder: &Path) -> Choices {
        Choices {
            full: false,
            sign_largest: false,
            quick: true,
            tlds: Vec::new(),
            only: Some(Part::Load),
            contenders: Vec::new(),
            zone: None,
            queries: None,
            out: folder.join("out"),
            data: folder.join("nothing"),
            cache: folder.join("zones"),
            binaries: folder.join("nothing"),
            commit: None,
        }
    }

    #[test]
    fn sizes_follow_the_choices() {
        let choices = choices(Path::new("/nowhere"));
        let sizes = |choices: &Choices| choices.synthetic();
        assert_eq!(sizes(&choices), [(SMALL, Signing::None)]);
        assert_eq!(choices.size_of_mixes(), Some(SMALL));
        let usual = Choices {
            quick: false,
            ..choices
        };
        let (plain, opt_out) = (Signing::None, Signing::OptOut);
        let expected = [(SMALL, plain), (LARGE, plain), (LARGE, opt_out)];
        assert_eq!(sizes(&usual), expected);
        assert_eq!(usual.size_of_mixes(), Some(LARGE));
        let full = Choices {
            full: true,
            ..usual
        };
        assert_eq!(sizes(&full).last(), Some(&(LARGEST, plain)));
        let signed = Choices {
            sign_largest: true,
            ..full
        };
        assert_eq!(sizes(&signed).last(), Some(&(LARGEST, opt_out)));
        let chosen = Choices {
            tlds: vec![5000, LARGEST],
            ..signed
        };
        assert_eq!(sizes(&chosen), [(5000, plain), (LARGEST, plain)]);
        assert_eq!(chosen.size_of_mixes(), Some(5000));
        let large = Choices {
            tlds: vec![LARGEST],
            ..chosen
        };
        assert_eq!(large.size_of_mixes(), None);
    }

    #[test]
    fn a_zone_has_from_one_delegation_to_as_many_as_there_are_labels() {
        #[derive(clap::Parser)]
        struct Arguments {
            #[command(flatten)]
            choices: Choices,
        }
        let parse = |number: &str| {
            let folders = ["--out=o", "--data=d", "--cache=c", "--binaries=b"];
            let all = ["bench"].into_iter().chain(folders);
            let parsed = Arguments::try_parse_from(all.chain(["--tld", "5", number]));
            parsed.map(|arguments| arguments.choices.tlds)
        };
        assert_eq!(parse("1").unwrap(), [5, 1]);
        assert_eq!(parse("1073741824").unwrap(), [5, MAX_DELEGATIONS]);
        for number in ["0", "1073741825", "2000000000"] {
            let error = parse(number).unwrap_err().to_string();
            let told = format!("invalid value '{number}' for '--tld <NUMBER>...'");
            assert!(error.contains(&told), "{error}");
            assert!(error.contains("1..=1073741824"), "{error}");
        }
    }

    #[test]
    fn options_are_as_they_were_given() {
        let mut choices = choices(Path::new("/nowhere"));
        choices.tlds = vec![7];
        choices.contenders = vec![Contender::KnotXdp];
        choices.queries = Some(PathBuf::from("/nowhere/some.queries"));
        choices.zone = Some("own.=/nowhere/own.zone".parse().unwrap());
        assert_eq!(
            choices.options(),
            [
                "--quick",
                "--tld 7",
                "--only load",
                "--contender knot-xdp",
                "--zone own.=own.zone",
                "--queries some.queries"
            ]
        );
        let chosen = choices.chosen();
        assert_eq!(
            (chosen.contenders, chosen.rounds),
            (vec!["knot-xdp".into()], 3)
        );
    }
}
