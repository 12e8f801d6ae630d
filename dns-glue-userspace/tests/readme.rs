//! The README says what the code does: its tables, its options, its
//! configurations and its links.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use clap::CommandFactory as _;
use dns_glue::cli::Cli;
use dns_glue::serve::status::CounterStatus;
use dns_glue_common::reason::Reason;
use dns_glue_common::{index, limits, maps};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn readme() -> String {
    fs::read_to_string(root().join("README.md")).expect("the README")
}

/// The cells of the table whose head has these cells.
fn table(readme: &str, head: &[&str]) -> Vec<Vec<String>> {
    let mut lines = readme.lines();
    lines
        .find(|line| cells(line) == head)
        .unwrap_or_else(|| panic!("a table with the columns {head:?}"));
    let rows = lines.skip(1).take_while(|line| line.starts_with('|'));
    rows.map(cells).collect()
}

fn cells(line: &str) -> Vec<String> {
    let inner = line
        .strip_prefix('|')
        .and_then(|line| line.trim_end().strip_suffix('|'));
    // A bar inside a cell is escaped.
    let inner = inner.unwrap_or_default().replace("\\|", "\0");
    let cells = inner.split('|');
    cells.map(|cell| cell.trim().replace('\0', "|")).collect()
}

fn code(text: &str) -> String {
    format!("`{text}`")
}

#[test]
fn the_counters_are_those_of_the_program() {
    let expected: Vec<Vec<String>> = Reason::ALL
        .iter()
        .map(|reason| {
            let CounterStatus {
                name,
                action,
                meaning,
                packets: _,
            } = CounterStatus::new(*reason, 0);
            vec![code(&name), action, meaning]
        })
        .collect();
    let table = table(&readme(), &["counter", "packets are", "meaning"]);
    for (written, expected) in table.iter().zip(&expected) {
        assert_eq!(written, expected);
    }
    assert_eq!(table.len(), expected.len());
}

macro_rules! values {
    ($($module:ident::$name:ident),+ $(,)?) => {
        [$((stringify!($module), stringify!($name), $module::$name as u64)),+]
    };
}

/// Every limit that the README must name.
fn all_limits() -> Vec<(&'static str, &'static str, u64)> {
    values![
        limits::HEADER_OCTETS,
        limits::QUESTION_FIXED_OCTETS,
        limits::MAX_NAME_OCTETS,
        limits::MAX_LABEL_OCTETS,
        limits::MAX_LABELS,
        limits::MAX_QUERY_OCTETS,
        limits::MAX_OPTIONS,
        limits::OPT_OCTETS,
        limits::OPTION_HEAD_OCTETS,
        limits::MAX_NSID_OCTETS,
        limits::MIN_UDP_OCTETS,
        limits::MAX_UDP_OCTETS,
        limits::DEFAULT_UDP_OCTETS,
        limits::MAX_VLAN_TAGS,
        limits::MAX_DEPTHS,
        limits::MAX_ZONES,
        limits::MAX_RELOCATIONS,
        limits::MAX_CUT_POINTS,
        limits::KEPT_BODIES,
        limits::WORTH_RELOCATIONS,
        index::MAX_ENTRIES,
        maps::MAX_INTERFACES,
        maps::MAX_ADDRESSES,
        maps::MAX_VIRTUAL_MACS,
        maps::MAX_VLANS,
    ]
    .to_vec()
}

#[test]
fn the_limits_are_those_of_the_code() {
    let table = table(&readme(), &["limit", "value", "what it is"]);
    let written: Vec<(&str, &str)> = table
        .iter()
        .map(|row| (row[0].as_str(), row[1].as_str()))
        .collect();
    let expected: Vec<(String, String)> = all_limits()
        .into_iter()
        .map(|(_, name, value)| (code(name), value.to_string()))
        .collect();
    let expected: Vec<(&str, &str)> = expected
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect();
    assert_eq!(written, expected);
}

#[test]
fn no_limit_is_left_out() {
    let source = root().join("dns-glue-common/src/limits.rs");
    let source = fs::read_to_string(source).expect("limits.rs");
    let in_source: Vec<&str> = source
        .lines()
        .filter_map(|line| line.strip_prefix("pub const ")?.split(':').next())
        .collect();
    let listed: Vec<&str> = all_limits()
        .into_iter()
        .filter(|(module, ..)| *module == "limits")
        .map(|(_, name, _)| name)
        .collect();
    assert_eq!(listed, in_source);
}

#[test]
fn the_options_are_those_of_run() {
    let command = Cli::command();
    let run = command.find_subcommand("run").expect("a subcommand");
    let options = run.get_arguments().filter(|arg| !arg.is_hide_set());
    let expected: BTreeSet<String> = options
        .filter_map(|arg| Some(format!("--{}", arg.get_long()?)))
        .filter(|option| option != "--help")
        .collect();
    let written: BTreeSet<String> = table(&readme(), &["option", "default", "meaning"])
        .iter()
        .map(|row| {
            let option = row[0].trim_matches('`').split(' ').next();
            option.expect("an option").to_owned()
        })
        .collect();
    assert_eq!(written, expected);
}

#[test]
fn every_subcommand_is_there() {
    let written = table(&readme(), &["command", "what it does"])
        .into_iter()
        .map(|row| row[0].clone())
        .collect::<String>();
    for subcommand in Cli::command().get_subcommands() {
        let name = format!("`dns-glue {}", subcommand.get_name());
        assert!(written.contains(&name), "{name}");
    }
}

#[test]
fn the_configurations_are_those_that_are_tested() {
    let readme = readme();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("packaging/examples");
    for name in ["knot.conf", "nsd.conf", "named.conf"] {
        let text = fs::read_to_string(folder.join(name)).expect("an example");
        assert!(
            readme.contains(&format!("\n{text}```\n")),
            "{name} is not in the README as it is in packaging/examples"
        );
    }
}

#[test]
fn links_lead_somewhere() {
    let readme = readme();
    let mut links = 0;
    for (at, _) in readme.match_indices("](") {
        let rest = &readme[at + 2..];
        let target = &rest[..rest.find(')').expect("an end")];
        if target.starts_with("https://") {
            continue;
        }
        links += 1;
        if let Some(heading) = target.strip_prefix('#') {
            let found = readme.lines().any(|line| {
                let text = line.trim_start_matches('#');
                text.len() < line.len() && text.trim().to_lowercase().replace(' ', "-") == heading
            });
            assert!(found, "no heading #{heading}");
        } else {
            assert!(root().join(target).exists(), "{target} does not exist");
        }
    }
    assert!(links > 10, "only {links} links were found");
}
