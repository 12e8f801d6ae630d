//! A zone as text.

use std::fmt::Write as _;
use std::io::{self, Write};
use std::net::{Ipv4Addr, Ipv6Addr};

use domain::base::Name;

use super::draw::{Draw, Purpose};
use super::labels::{Labels, MAX_LABELS, OWN, Shuffled};
use super::servers::{Place, Servers, Set};
use super::{Parameters, Signing};
use crate::testbed::interrupt;

/// TTLs as in com.
const SOA_TTL: u32 = 900;
const NS_TTL: u32 = 172_800;
const DS_TTL: u32 = 86_400;

/// Where name servers are that are outside the zone.
const ELSEWHERE: [&str; 4] = ["com", "net", "org", "se"];

/// Writes the zone as a master file (RFC 1035 5), before it is signed. The
/// writer should be buffered.
///
/// # Errors
/// When the parameters are not what they must be, writing fails, or a signal has
/// come.
pub fn write(parameters: &Parameters, labels: &Labels, writer: &mut impl Write) -> io::Result<()> {
    let apex = apex_text(&parameters.apex)?;
    if parameters.delegations > MAX_LABELS {
        return Err(invalid("there are no more than 2^31 labels"));
    }
    let seed = parameters.seed;
    let mut zone = ZoneText {
        seed,
        has_ds: parameters.signing != Signing::None,
        labels: labels.shuffle(seed),
        servers: Servers::new(seed, parameters.profile),
        text: String::new(),
        label: String::new(),
        host: String::new(),
    };
    write_apex(&apex, writer)?;
    for number in 0..parameters.delegations {
        interrupt::check()?;
        zone.delegation(number);
        writer.write_all(zone.text.as_bytes())?;
    }
    writer.flush()
}

fn invalid(message: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, message)
}

/// `example.`, with its dot.
fn apex_text(apex: &Name<Vec<u8>>) -> io::Result<String> {
    let text = apex.to_string().to_ascii_lowercase();
    if apex.is_root() || ELSEWHERE.contains(&text.as_str()) {
        return Err(invalid(
            "the apex is neither the root nor com, net, org or se: name servers outside the zone are there",
        ));
    }
    Ok(format!("{text}."))
}

fn write_apex(apex: &str, writer: &mut impl Write) -> io::Result<()> {
    writeln!(writer, "$ORIGIN {apex}\n$TTL {NS_TTL}")?;
    writeln!(
        writer,
        "@\t{SOA_TTL}\tIN\tSOA\ta.{OWN} hostmaster.{OWN} 2026010100 1800 900 604800 {SOA_TTL}"
    )?;
    for server in ["a", "b", "c"] {
        writeln!(writer, "@\tNS\t{server}.{OWN}")?;
    }
    writeln!(writer, "@\tNS\td.{OWN}-servers.net.")?;
    for (host, server) in (1..).zip(["a", "b", "c"]) {
        writeln!(writer, "{server}.{OWN}\tA\t192.0.2.{host}")?;
        writeln!(writer, "{server}.{OWN}\tAAAA\t2001:db8::{host}")?;
    }
    Ok(())
}

/// One delegation after the other, in buffers that are used again.
struct ZoneText<'l> {
    seed: u64,
    has_ds: bool,
    labels: Shuffled<'l>,
    servers: Servers,
    text: String,
    label: String,
    /// The label of another delegation or of a set of name servers.
    host: String,
}

impl ZoneText<'_> {
    /// Makes the text of a delegation: NS, DS, and the addresses of name
    /// servers below it.
    fn delegation(&mut self, number: u64) {
        self.text.clear();
        self.labels.label(number, &mut self.label);
        let set = self.servers.set(number);
        self.name_servers(set);
        if self.has_ds {
            self.ds(number);
        }
        if set.place == Place::Below(number) {
            self.glue(number, set.size);
        }
    }

    /// Every record but the first has its owner from the one before.
    fn name_servers(&mut self, set: Set) {
        self.text.push_str(&self.label);
        match set.place {
            Place::Below(host) => {
                self.labels.label(host, &mut self.host);
                for server in 1..=set.size {
                    line(
                        &mut self.text,
                        format_args!("\tNS\tns{server}.{}", self.host),
                    );
                }
            }
            Place::Elsewhere(number) => {
                self.labels.provider(number, &mut self.host);
                let mut draw = Draw::new(self.seed, Purpose::Provider, number);
                let first = draw.below(ELSEWHERE.len() as u64) as usize;
                // One set of four has its name servers in different TLDs.
                let step = usize::from(draw.below(4) == 0);
                for server in 1..=set.size {
                    let tld = ELSEWHERE[(first + step * usize::from(server)) % ELSEWHERE.len()];
                    line(
                        &mut self.text,
                        format_args!("\tNS\tns{server}.{}.{tld}.", self.host),
                    );
                }
            }
        }
    }

    fn ds(&mut self, number: u64) {
        let mut draw = Draw::new(self.seed, Purpose::Ds, number);
        if draw.below(100) >= 6 {
            return;
        }
        let (usual, other) = if draw.below(4) == 0 { (8, 13) } else { (13, 8) };
        let has_two = draw.below(20) == 0;
        for algorithm in [usual, other].into_iter().take(1 + usize::from(has_two)) {
            let tag = draw.bits16();
            let [a, b, c, d] = [draw.next(), draw.next(), draw.next(), draw.next()];
            line(
                &mut self.text,
                format_args!(
                    "\t{DS_TTL}\tDS\t{tag} {algorithm} 2 {a:016X}{b:016X}{c:016X}{d:016X}"
                ),
            );
        }
    }

    fn glue(&mut self, number: u64, servers: u8) {
        for server in 1..=servers {
            let mut draw = Draw::new(self.seed, Purpose::Address, number << 8 | u64::from(server));
            let low = draw.bits16().to_be_bytes();
            let ipv4 = Ipv4Addr::new(198, 18 | (draw.below(2) as u8), low[0], low[1]);
            let (network, subnet) = (draw.bits16(), draw.bits16());
            let ipv6 = Ipv6Addr::new(0x2001, 0xdb8, network, subnet, 0, 0, 0, 0x53);
            line(
                &mut self.text,
                format_args!("ns{server}.{}\tA\t{ipv4}", self.label),
            );
            line(&mut self.text, format_args!("\tAAAA\t{ipv6}"));
        }
    }
}

fn line(text: &mut String, content: std::fmt::Arguments<'_>) {
    // Writing into a string does not fail.
    let _ = writeln!(text, "{content}");
}
