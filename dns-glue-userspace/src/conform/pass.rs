//! Part 2: a server with dns-glue in front of it against the same server
//! alone.

use std::time::Duration;

use anyhow::{Context as _, Result};

use super::client::{Family, Tcp, ask_each, ask_each_over_tcp};
use super::matrix::Matrix;
use super::queries::passing;
use super::random::Random;
use super::refer::Compiled;
use super::site::Site;
use super::table::Totals;
use super::zones::Group;
use crate::compare::pass::{Sameness, compare};
use crate::compare::{Ground, Judge, Reply, Server, Wholes};

/// Counters that must stay zero.
const NEVER: [&str; 5] = [
    "write-failed",
    "inconsistent",
    "udp-checksum",
    "ipv4-checksum",
    "no-room",
];
/// Messages that are asked again in a second, and for how many seconds: more
/// than that is a difference, not a limit.
const A_SECOND: usize = 10;
const SECONDS: usize = 30;
const RATE_WINDOW: Duration = Duration::from_millis(1_200);
/// Types whose replies over TCP are more than one message: IXFR, AXFR.
const TRANSFERS: [u16; 2] = [251, 252];

/// What is asked of a site, and what it answered alone.
struct Asked {
    family: Family,
    passing: Vec<Vec<u8>>,
    over_tcp: Vec<Vec<u8>>,
    referrals: Vec<(Vec<u8>, Ground)>,
    alone: [Vec<Option<Vec<u8>>>; 2],
    alone_referrals: Vec<Option<Vec<u8>>>,
}

impl Asked {
    /// What passes: over UDP (0), over TCP (1).
    fn messages(&self, transport: usize) -> &[Vec<u8>] {
        [&self.passing, &self.over_tcp][transport]
    }
}

/// Asks a site for what passes, for about `number` delegations, first without
/// and then with dns-glue.
///
/// # Errors
///
/// The server or dns-glue does not answer at all.
pub fn run(
    site: &mut Site,
    group: &Group,
    compiled: &Compiled,
    number: usize,
    seed: u64,
) -> Result<Totals> {
    let asked: Result<Vec<Asked>> = Family::BOTH
        .into_iter()
        .map(|family| ask_alone(site, group, compiled, number, seed, family))
        .collect();
    let asked = asked?;
    site.start_dns_glue(group)?;
    let mut totals = Totals::default();
    for asked in &asked {
        compare_passing(site, asked, &mut totals)?;
        compare_referrals(site, group, asked, &mut totals)?;
    }
    let counters = site.counters()?;
    for name in NEVER {
        let packets = counters.packets(name);
        if packets > 0 {
            totals.differ(&format!("{packets} packets"), || format!("counter {name}"));
        }
    }
    Ok(totals)
}

fn ask_alone(
    site: &Site,
    group: &Group,
    compiled: &Compiled,
    number: usize,
    seed: u64,
    family: Family,
) -> Result<Asked> {
    let apexes: Vec<Vec<u8>> = group
        .zones
        .iter()
        .map(|zone| zone.apex.as_slice().to_vec())
        .collect();
    let mut random = Random(seed);
    let passing = passing(
        site.server(),
        &apexes,
        &compiled.grounds,
        number,
        &mut random,
    );
    let step = (compiled.grounds.len() / number.max(1)).max(1);
    let sample: Vec<Ground> = compiled.grounds.iter().step_by(step).cloned().collect();
    let matrix = Matrix::new(seed, sample.len(), 0);
    let referrals: Vec<(Vec<u8>, Ground)> = (0..matrix.len())
        .map(|place| {
            let (case, ground) = matrix.case(place, &sample);
            (case.message(place as u16), ground.clone())
        })
        .collect();
    let mut over_tcp = passing.clone();
    over_tcp.extend(referrals.iter().map(|(query, _)| query.clone()));
    over_tcp.retain(|message| !qtype(message).is_some_and(|qtype| TRANSFERS.contains(&qtype)));
    let client = site.client();
    let messages: Vec<Vec<u8>> = referrals.iter().map(|(query, _)| query.clone()).collect();
    Ok(Asked {
        family,
        alone: [
            ask_each(client, family, &passing)?,
            ask_each_over_tcp(client, family, &over_tcp)?,
        ],
        alone_referrals: ask_each(client, family, &messages)?,
        passing,
        over_tcp,
        referrals,
    })
}

fn hexadecimal(message: &[u8]) -> String {
    message.iter().map(|octet| format!("{octet:02x}")).collect()
}

/// The type of a message's first question.
fn qtype(message: &[u8]) -> Option<u16> {
    let mut at = 12;
    while let Some(label @ 1..=63) = message.get(at) {
        at += 1 + usize::from(*label);
    }
    message
        .get(at + 1..)?
        .first_chunk()
        .map(|qtype| u16::from_be_bytes(*qtype))
}

/// What passes, over UDP and TCP: the same replies, none from the kernel.
fn compare_passing(site: &Site, asked: &Asked, totals: &mut Totals) -> Result<()> {
    let client = site.client();
    let answered = site.counters()?.answered();
    let mut behind = [
        ask_each(client, asked.family, &asked.passing)?,
        ask_each_over_tcp(client, asked.family, &asked.over_tcp)?,
    ];
    let mut alone = asked.alone.clone();
    for (transport, (alone, behind)) in alone.iter_mut().zip(&mut behind).enumerate() {
        ask_slowly(site, asked, transport, alone, behind)?;
    }
    let by_kernel = site.counters()?.answered() - answered;
    if by_kernel > 0 {
        totals.differ(&format!("{by_kernel} answers by the kernel"), || {
            format!("what passes, {:?}", asked.family)
        });
    }
    for (place, transport) in ["UDP", "TCP"].into_iter().enumerate() {
        let messages = asked.messages(place);
        let replies = alone[place].iter().zip(&behind[place]);
        for (message, (alone, behind)) in messages.iter().zip(replies) {
            totals.cases += 1;
            match compare(alone.as_deref(), behind.as_deref()) {
                Sameness::Identical | Sameness::SameRecords | Sameness::BothSilent => {
                    totals.equal += 1;
                }
                Sameness::Difference(what) => totals.differ(&what, || {
                    format!("{transport}, {:?}, {}", asked.family, hexadecimal(message))
                }),
            }
        }
    }
    Ok(())
}

/// Asks again, a few messages a second, what was answered on one side only: a
/// server may be silent because it has sent errors enough for that second. Alone
/// it is asked from its own host, which does not lead through the interface.
fn ask_slowly(
    site: &Site,
    asked: &Asked,
    transport: usize,
    alone: &mut [Option<Vec<u8>>],
    behind: &mut [Option<Vec<u8>>],
) -> Result<()> {
    let unequal: Vec<usize> = (0..alone.len())
        .filter(|place| alone[*place].is_none() != behind[*place].is_none())
        .collect();
    for places in unequal.chunks(A_SECOND).take(SECONDS) {
        let messages: Vec<Vec<u8>> = places
            .iter()
            .map(|place| asked.messages(transport)[*place].clone())
            .collect();
        for (namespace, replies) in [(site.host(), &mut *alone), (site.client(), &mut *behind)] {
            std::thread::sleep(RATE_WINDOW);
            let again = match transport {
                0 => ask_each(namespace, asked.family, &messages)?,
                _ => ask_each_over_tcp(namespace, asked.family, &messages)?,
            };
            for (place, reply) in places.iter().zip(again) {
                replies[*place] = reply;
            }
        }
    }
    Ok(())
}

/// Referrals come from the kernel, and are the server's own.
fn compare_referrals(site: &Site, group: &Group, asked: &Asked, totals: &mut Totals) -> Result<()> {
    let answered = site.counters()?.answered();
    let messages: Vec<Vec<u8>> = asked
        .referrals
        .iter()
        .map(|(query, _)| query.clone())
        .collect();
    let replies = ask_each(site.client(), asked.family, &messages)?;
    let by_kernel = site.counters()?.answered() - answered;
    if by_kernel != messages.len() as u64 {
        totals.differ(
            &format!("{by_kernel} of {} from the kernel", messages.len()),
            || format!("referrals, {:?}", asked.family),
        );
    }
    let mut tcp = Tcp::new(site.client(), asked.family);
    let over_tcp = |query: &[u8]| -> Result<Reply> { Ok(Reply::parse(&tcp.ask(query)?)?) };
    let mut judge = Judge {
        reference: Wholes::new(over_tcp),
        max_udp: group.max_udp.into(),
        copy_cd: site.server() == Server::Bind,
    };
    for (place, (query, ground)) in asked.referrals.iter().enumerate() {
        let line = || {
            format!(
                "referral behind a wire, {:?}, {}",
                asked.family,
                hexadecimal(query)
            )
        };
        let alone = asked.alone_referrals[place].as_ref();
        let alone = alone.context("the server gives no referral")?;
        match &replies[place] {
            Some(ours) => {
                let judgement = judge.judge(ground, query, ours, alone)?;
                totals.add(site.server(), judgement, line);
            }
            None => {
                totals.cases += 1;
                totals.differ("no reply", line);
            }
        }
    }
    Ok(())
}
