//! Who meets RFC 9471: how much of the in-domain glue is in a referral, and
//! whether TC tells of what is not. The table of the README is this test's.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::net::IpAddr;
use std::path::Path;
use std::process::Command;

use domain::base::Rtype;

use super::behind_support::message::{A, Reply, query};
use super::behind_support::{SERVER_IPV4, SERVER_IPV6, Site};
use super::{BIND, KNOT, NSD};

/// Numbers of name servers, all of them in-domain, each with A and AAAA.
const NAME_SERVERS: [usize; 4] = [1, 8, 13, 26];
/// UDP sizes of the client.
const SIZES: [u16; 2] = [512, 1232];
/// What stands around the table in the README.
const TABLE_START: &str =
    "<!-- rfc9471: kept equal to what the servers do by tests/behind_servers/rfc9471.rs -->\n";

/// A delegation for each number.
fn zone() -> String {
    let mut zone = String::from(
        "$ORIGIN glue.example.\n$TTL 3600\n@ SOA ns.void. host.void. 1 2 3 4 5\n@ NS ns.void.\n",
    );
    for count in NAME_SERVERS {
        for number in 1..=count {
            let server = format!("ns{number}.n{count}");
            let _ = writeln!(
                zone,
                "n{count} NS {server}\n{server} A 198.51.100.{number}\n\
                 {server} AAAA 2001:db8:1::{number:x}"
            );
        }
    }
    zone
}

/// What a referral does with its in-domain glue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Glue {
    /// TC=0, and all of it.
    All,
    /// TC=1.
    Truncated,
    /// TC=0, and so many of the RRsets: what RFC 9471 section 3.1 forbids.
    Part(usize),
}

impl Glue {
    fn of(reply: &Reply, servers: usize) -> Self {
        if reply.header().tc() {
            return Self::Truncated;
        }
        let additional = reply.additional().expect("an additional section");
        let rrsets: BTreeSet<(String, Rtype)> = additional
            .map(|record| record.expect("a record"))
            .filter(|record| [Rtype::A, Rtype::AAAA].contains(&record.rtype()))
            .map(|record| (record.owner().to_string().to_lowercase(), record.rtype()))
            .collect();
        assert!(rrsets.len() <= 2 * servers);
        if rrsets.len() == 2 * servers {
            Self::All
        } else {
            Self::Part(rrsets.len())
        }
    }

    fn text(self, servers: usize) -> String {
        match self {
            Self::All => String::from("all"),
            Self::Truncated => String::from("TC=1"),
            Self::Part(rrsets) => format!("**{rrsets} of {}**", 2 * servers),
        }
    }
}

/// A row of the table: every number of name servers in every size.
struct Row {
    who: String,
    transport: &'static str,
    cells: Vec<(Glue, usize)>,
}

impl Row {
    fn of(who: &str, address: IpAddr, ask: impl Fn(&[u8]) -> Reply) -> Self {
        let mut cells = Vec::new();
        for size in SIZES {
            for servers in NAME_SERVERS {
                let asked = with_size(query(&format!("www.n{servers}.glue.example"), A), size);
                cells.push((Glue::of(&ask(&asked), servers), servers));
            }
        }
        Self {
            who: who.to_owned(),
            transport: if address.is_ipv4() { "IPv4" } else { "IPv6" },
            cells,
        }
    }

    fn meets(&self) -> bool {
        self.cells
            .iter()
            .all(|(glue, _)| !matches!(glue, Glue::Part(_)))
    }

    fn text(&self) -> String {
        let cells: Vec<String> = self
            .cells
            .iter()
            .map(|(glue, servers)| glue.text(*servers))
            .collect();
        let meets = if self.meets() { "yes" } else { "no" };
        let Self { who, transport, .. } = self;
        format!(
            "| {who} | {transport} | {} | {meets} |\n",
            cells.join(" | ")
        )
    }
}

/// The query with an OPT record that tells a size.
fn with_size(mut query: Vec<u8>, size: u16) -> Vec<u8> {
    query[11] = 1; // ARCOUNT
    query.extend([0, 0, 41]);
    query.extend(size.to_be_bytes());
    query.extend([0; 6]);
    query
}

#[test]
fn in_domain_glue_is_complete_or_tc_says_so() {
    let mut rows = Vec::new();
    let mut theirs = Vec::new();
    for (peer, name) in [(&KNOT, "Knot DNS"), (&NSD, "NSD"), (&BIND, "BIND")] {
        let Some(site) = Site::serving(peer, &zone()) else {
            return;
        };
        let who = format!("{name} {}", version(peer.program));
        for address in [SERVER_IPV4, SERVER_IPV6] {
            let ours = Row::of("dns-glue", address, |query| site.ask_kernel(address, query));
            assert!(ours.meets(), "{}", ours.text());
            let row = Row::of(&who, address, |query| site.ask_server(address, query));
            if rows.len() < 2 {
                rows.push(ours);
            } else {
                assert_eq!(ours.text(), rows[usize::from(address.is_ipv6())].text());
            }
            theirs.push(row);
        }
    }
    // The oracle of the differential has to be one.
    assert!(theirs[0].meets() && theirs[1].meets(), "Knot");
    rows.extend(theirs);
    let table: String = rows.iter().map(Row::text).collect();
    println!("{table}");
    compare_with_readme(&table);
}

/// The table of the README must be this one, as far as it is of these servers.
fn compare_with_readme(table: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../README.md");
    let readme = fs::read_to_string(path).expect("the README");
    let (_, after) = readme.split_once(TABLE_START).expect("the table");
    let rows: Vec<&str> = after
        .lines()
        .skip(2)
        .take_while(|line| line.starts_with('|'))
        .collect();
    let who = |row: &str| row.split('|').nth(1).unwrap_or_default().trim().to_owned();
    for row in table.lines() {
        if rows.iter().any(|other| who(other) == who(row)) {
            assert!(rows.contains(&row), "the README has another row for {row}");
        } else {
            // Another version of a server may have learned.
            println!("not in the README: {row}");
        }
    }
    assert!(rows.iter().any(|row| who(row) == "dns-glue"));
}

/// The version of a server, as it prints it: `3.2.6`.
fn version(program: &str) -> String {
    let argument = if program == "knotd" {
        "--version"
    } else {
        "-v"
    };
    let path = ["/usr/sbin", "/usr/bin", "/usr/local/sbin"]
        .map(|folder| Path::new(folder).join(program))
        .into_iter()
        .find(|path| path.exists())
        .expect("it was started");
    let output = Command::new(path)
        .arg(argument)
        .output()
        .expect("it starts");
    let text = [output.stdout, output.stderr].concat();
    let text = String::from_utf8_lossy(&text).into_owned();
    let words = text.split([' ', '\n', '-', ',']);
    let mut numbers = words.filter(|word| word.starts_with(|c: char| c.is_ascii_digit()));
    numbers.next().expect("a version").to_owned()
}
