//! Compares dns-glue with name servers over whole zones: `cargo xtask conform`
//! builds and starts it.
//!
//! `dns_glue::conform` does the work; here is what is asked of it.

use std::env;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

use anyhow::{Context as _, Result, bail, ensure};
use clap::Parser;
use dns_glue::compare::Server;
use dns_glue::conform::case::Case;
use dns_glue::conform::matrix::Matrix;
use dns_glue::conform::pass;
use dns_glue::conform::refer::{self, Cases, Compiled};
use dns_glue::conform::site::Site;
use dns_glue::conform::table::{Row, Table};
use dns_glue::conform::zones::{self, Group};
use dns_glue::testbed::folder::Folder;
use dns_glue::testbed::{interrupt, needs};
use dns_glue::zone::source::ZoneSource;

/// What is served and sent unless a group is about another size.
const MAX_UDP: u16 = 1232;
/// The most that dns-glue sends (RFC 9715).
const LARGE_UDP: u16 = 1400;
/// Delegations of the synthetic zones, in the slice and with `--all`.
const SLICE_DELEGATIONS: u64 = 400;
const ALL_DELEGATIONS: u64 = 15_000;
/// Queries of part 1 for each group with `--all`, if that is more than each
/// delegation's least.
const ALL_CASES: usize = 150_000;
/// Delegations that part 2 asks about.
const SLICE_PASSING: usize = 12;
const ALL_PASSING: usize = 40;

/// Compare dns-glue with name servers, over whole zones
#[derive(Parser)]
struct Arguments {
    /// All zones and many queries, instead of the slice that CI runs
    #[arg(long)]
    all: bool,
    /// Another server to compare with, beside Knot
    #[arg(long, value_name = "SERVER", value_parser = parse_server)]
    with: Vec<Server>,
    /// What the choice of queries and the synthetic zones depend on
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Zones to serve together and to ask for, in place of the usual ones
    #[arg(long, value_name = "ORIGIN=FILE")]
    zone: Vec<ZoneSource>,
    /// Queries of part 1 for each group; each delegation gets its least
    #[arg(long, value_name = "NUMBER")]
    cases: Option<usize>,
    /// Delegations of each synthetic zone
    #[arg(long, value_name = "NUMBER")]
    delegations: Option<u64>,
    /// One query of an earlier run, as it was reported
    #[arg(long, value_name = "ZONES/NAME/TYPE/SIZE/FLAGS/FAMILY/TAGS")]
    case: Option<String>,
    /// Where the real zones are, and the list of names for synthetic ones
    #[arg(long, value_name = "FOLDER", default_value = "../shared/data")]
    data: PathBuf,
    /// Where synthetic zones are kept
    #[arg(long, value_name = "FOLDER", default_value = "target/conform")]
    cache: PathBuf,
}

fn parse_server(name: &str) -> Result<Server> {
    match name {
        "nsd" => Ok(Server::Nsd),
        "bind" => Ok(Server::Bind),
        _ => bail!("nsd or bind; Knot is always there"),
    }
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match run(&arguments) {
        Ok(0) => ExitCode::SUCCESS,
        Ok(differences) => {
            eprintln!("error: {differences} differences that nothing explains");
            ExitCode::FAILURE
        }
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// The number of differences.
fn run(arguments: &Arguments) -> Result<u64> {
    ensure!(needs::is_root(), "namespaces and XDP programs need root");
    // What is started and made is taken down by its drop.
    interrupt::catch().context("handle signals")?;
    let folder = Folder::new("conform")?;
    let mut groups = groups(arguments, folder.path())?;
    let mut case = None;
    if let Some(line) = &arguments.case {
        let (name, line) = line
            .split_once('/')
            .context("no zones in front of the case")?;
        groups.retain(|group| group.name == name);
        ensure!(!groups.is_empty(), "no zones called {name}");
        case = Some(line.parse::<Case>().context("--case")?);
    }
    let mut table = Table::default();
    for group in &groups {
        compare(arguments, group, case.as_ref(), folder.path(), &mut table)
            .with_context(|| group.name.clone())?;
    }
    println!("seed {}", arguments.seed);
    print!("{table}");
    Ok(table.differences())
}

fn groups(arguments: &Arguments, folder: &Path) -> Result<Vec<Group>> {
    if !arguments.zone.is_empty() {
        return Ok(vec![Group {
            name: String::from("zones"),
            zones: arguments.zone.clone(),
            max_udp: MAX_UDP,
        }]);
    }
    let usual = if arguments.all {
        ALL_DELEGATIONS
    } else {
        SLICE_DELEGATIONS
    };
    let delegations = arguments.delegations.unwrap_or(usual);
    let mut groups = zones::real(&arguments.data, folder, MAX_UDP)?;
    if !arguments.all {
        groups.truncate(1);
    }
    let (data, cache) = (&arguments.data, &arguments.cache);
    groups.extend(zones::synthetic(
        data,
        cache,
        delegations,
        arguments.seed,
        MAX_UDP,
    )?);
    if arguments.all {
        // The hardest of each kind once more, with the largest replies.
        let names = ["root 2026010601", "TLD in-domain opt-out"];
        let again: Vec<Group> = groups
            .iter()
            .filter(|group| names.contains(&group.name.as_str()))
            .map(|group| Group {
                name: format!("{} {LARGE_UDP}", group.name),
                max_udp: LARGE_UDP,
                ..group.clone()
            })
            .collect();
        groups.extend(again);
    }
    Ok(groups)
}

fn compare(
    arguments: &Arguments,
    group: &Group,
    case: Option<&Case>,
    folder: &Path,
    table: &mut Table,
) -> Result<()> {
    let compiled = Compiled::of(group)?;
    let mut servers = vec![Server::Knot];
    servers.extend(&arguments.with);
    let binaries = env::current_exe().context("find dns-glue beside this program")?;
    let binaries = binaries.parent().context("it lies in a folder")?;
    let sites: Result<Vec<Site>> = servers
        .iter()
        .map(|server| {
            let folder = folder.join(format!("{}-{server}", group.name.replace(' ', "-")));
            Site::start(*server, group, &folder, binaries)
        })
        .collect();
    let mut sites = sites?;
    let each = if arguments.all { ALL_CASES } else { 0 };
    let number = arguments.cases.unwrap_or(each);
    let matrix = Matrix::new(arguments.seed, compiled.grounds.len(), number);
    let cases = match case {
        Some(case) => Cases::One(case),
        None => Cases::Matrix(&matrix),
    };
    let start = Instant::now();
    let totals = refer::run(group, &compiled, &cases, &sites)?;
    let seconds = start.elapsed().as_secs_f64();
    eprintln!(
        "{}: {} delegations, {} queries in {seconds:.1} s",
        group.name,
        compiled.grounds.len(),
        totals.iter().map(|totals| totals.cases).sum::<u64>(),
    );
    let mut rows = Vec::new();
    for (site, totals) in sites.iter().zip(totals) {
        rows.push(("refer", site.server(), totals));
    }
    if case.is_none() {
        let passing = if arguments.all {
            ALL_PASSING
        } else {
            SLICE_PASSING
        };
        for site in &mut sites {
            let start = Instant::now();
            let totals = pass::run(site, group, &compiled, passing, arguments.seed)?;
            eprintln!(
                "{}: {} with dns-glue, {} messages in {:.1} s",
                group.name,
                site.server(),
                totals.cases,
                start.elapsed().as_secs_f64()
            );
            rows.push(("pass", site.server(), totals));
        }
    }
    for (part, server, totals) in rows {
        for difference in &totals.shown {
            println!("{difference}\n");
        }
        table.0.push(Row {
            group: group.name.clone(),
            part,
            server,
            totals,
        });
    }
    Ok(())
}
