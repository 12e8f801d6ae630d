//! Part 1: our referrals, by the program in the kernel, against those of the
//! servers.

use std::ops::Range;

use anyhow::{Context as _, Error, Result, anyhow};
use dns_glue_common::policy::Policy;
use dns_glue_common::reason::Action;

use super::case::Case;
use super::client::{Family, Tcp, Udp};
use super::matrix::Matrix;
use super::program::Program;
use super::site::Site;
use super::table::Totals;
use super::zones::Group;
use crate::compare::{Ground, Judge, Reply, Server, Wholes};
use crate::compile::{self, Generation};
use crate::host;
use crate::zone::cuts::find_cuts;
use crate::zone::source;

/// Queries under way at a time, of a thread.
const WINDOW: usize = 128;
/// Windows after which whole referrals are forgotten: later queries are of
/// other delegations.
const WINDOWS_REMEMBERED: usize = 32;

/// A group of zones, compiled.
pub struct Compiled {
    /// What is loaded.
    pub generation: Generation,
    /// Its delegations.
    pub grounds: Vec<Ground>,
    /// As `dns-glue run` has it.
    pub policy: Policy,
}

impl Compiled {
    /// Compiles the zones of a group.
    ///
    /// # Errors
    ///
    /// A zone has an error.
    pub fn of(group: &Group) -> Result<Self> {
        let zones: Result<Vec<_>, _> = group.zones.iter().map(source::load).collect();
        let zones = zones.map_err(|errors| anyhow!("{errors}"))?;
        let cuts = find_cuts(&zones, &[]);
        let compilation = compile::compile(&zones, &cuts, &())?;
        Ok(Self {
            grounds: cuts.delegations.iter().map(Ground::of).collect(),
            generation: compilation.generation,
            policy: Policy {
                max_udp: group.max_udp,
                ..Policy::DEFAULT
            },
        })
    }

    /// The delegation that a name is at or below.
    pub fn ground_of(&self, name: &[u8]) -> Option<&Ground> {
        let mut grounds = self.grounds.iter();
        grounds.find(|ground| {
            domain::base::Name::from_slice(name).is_ok_and(|name| {
                name.iter_suffixes()
                    .any(|above| above.as_slice().eq_ignore_ascii_case(&ground.cut))
            })
        })
    }
}

/// What is asked.
pub enum Cases<'m> {
    /// All of a matrix.
    Matrix(&'m Matrix),
    /// One.
    One(&'m Case),
}

impl Cases<'_> {
    fn len(&self) -> usize {
        match self {
            Self::Matrix(matrix) => matrix.len(),
            Self::One(_) => 1,
        }
    }

    fn get<'g>(&self, place: usize, compiled: &'g Compiled) -> Result<(Case, &'g Ground)> {
        match self {
            Self::Matrix(matrix) => Ok(matrix.case(place, &compiled.grounds)),
            Self::One(case) => {
                let ground = compiled.ground_of(&case.name);
                let ground = ground.context("the case is below no delegation")?;
                Ok(((*case).clone(), ground))
            }
        }
    }
}

/// Asks every server, on as many threads as there are processors; the results,
/// a server each.
///
/// # Errors
///
/// The program cannot be loaded, or a server does not answer.
pub fn run(
    group: &Group,
    compiled: &Compiled,
    cases: &Cases<'_>,
    sites: &[Site],
) -> Result<Vec<Totals>> {
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let share = cases.len().div_ceil(threads).max(1);
    let parts: Vec<Result<Vec<Totals>>> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..cases.len())
            .step_by(share)
            .map(|start| {
                let places = start..(start + share).min(cases.len());
                scope.spawn(move || ask_share(group, compiled, cases, places, sites))
            })
            .collect();
        let join = |thread: std::thread::ScopedJoinHandle<'_, _>| {
            thread
                .join()
                .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        };
        threads.into_iter().map(join).collect()
    });
    let mut totals = vec![Totals::default(); sites.len()];
    for part in parts {
        for (total, part) in totals.iter_mut().zip(part?) {
            total.merge(part);
        }
    }
    Ok(totals)
}

/// A server as one thread asks it.
struct Desk<F> {
    server: Server,
    udp: Udp,
    judge: Judge<Wholes<F>>,
    totals: Totals,
}

fn ask_share(
    group: &Group,
    compiled: &Compiled,
    cases: &Cases<'_>,
    places: Range<usize>,
    sites: &[Site],
) -> Result<Vec<Totals>> {
    let program = Program::load(&compiled.generation, compiled.policy)?;
    let desks: Result<Vec<_>> = sites
        .iter()
        .map(|site| {
            let mut tcp = Tcp::new(site.host(), Family::V4);
            let over_tcp =
                move |query: &[u8]| -> Result<Reply> { Ok(Reply::parse(&tcp.ask(query)?)?) };
            Ok(Desk {
                server: site.server(),
                udp: Udp::open(site.host())?,
                judge: Judge {
                    reference: Wholes::new(over_tcp),
                    max_udp: group.max_udp.into(),
                    copy_cd: false,
                },
                totals: Totals::default(),
            })
        })
        .collect();
    let mut desks = desks?;
    for (number, start) in places.clone().step_by(WINDOW).enumerate() {
        let window = start..(start + WINDOW).min(places.end);
        let asked: Result<Vec<(Case, &Ground)>> =
            window.map(|place| cases.get(place, compiled)).collect();
        let asked = asked?;
        let queries: Vec<(Family, Vec<u8>)> = (0..)
            .zip(&asked)
            .map(|(id, (case, _))| (case.family, case.message(id)))
            .collect();
        let mut ours = None;
        for desk in &mut desks {
            if number % WINDOWS_REMEMBERED == 0 {
                desk.judge.reference.clear();
            }
            let theirs = desk.udp.ask(&queries, || {
                if ours.is_none() {
                    let asked = asked.iter().zip(&queries);
                    let replies = asked.map(|((case, _), (_, query))| {
                        ask_program(&program, compiled, case, query)
                    });
                    ours = Some(replies.collect::<Result<Vec<_>>>()?);
                }
                Ok(())
            });
            let theirs = theirs.with_context(|| desk.server.to_string())?;
            for (place, (case, ground)) in asked.iter().enumerate() {
                let line = || format!("--case '{}/{case}'", group.name);
                match &ours.as_ref().context("the program was asked")?[place] {
                    Ok(ours) => {
                        let query = &queries[place].1;
                        let judgement = desk.judge.judge(ground, query, ours, &theirs[place])?;
                        desk.totals.add(desk.server, judgement, line);
                    }
                    Err(what) => {
                        desk.totals.cases += 1;
                        desk.totals.differ(what, line);
                    }
                }
            }
        }
    }
    Ok(desks.into_iter().map(|desk| desk.totals).collect())
}

/// The message of the program's reply, or what is wrong with it.
fn ask_program(
    program: &Program,
    compiled: &Compiled,
    case: &Case,
    query: &[u8],
) -> Result<Result<Vec<u8>, String>, Error> {
    let path = case.path();
    let (action, frame) = program.run(&path.frame(query))?;
    if action != Action::Transmit {
        let why = match host::answer(&compiled.generation, &compiled.policy, query) {
            Ok(_) => "the host answers",
            Err(reason) => reason.meaning(),
        };
        return Ok(Err(format!("{action:?}: {why}")));
    }
    Ok(match path.check_reply(&frame) {
        Ok(message) => Ok(message.to_vec()),
        Err(what) => Err(format!("a wrong frame: {what}")),
    })
}
