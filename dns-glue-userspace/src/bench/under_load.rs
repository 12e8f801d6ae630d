//! All contenders, side by side, under one workload after the other.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};

use super::contender::Contender;
use super::contest::Contest;
use super::failures::Failures;
use super::load::programs::Reflector;
use super::load::queries::PreparedQueries;
use super::measure::Plan;
use super::receive_buffers::ReceiveBuffers;
use super::results::Measurement;
use super::run::Measure;
use super::site::Serving;
use super::workload::Workload;
use super::zone_work::ServedZone;
use super::zone_work::server::Program;
use crate::testbed::folder::Folder;
use crate::testbed::interrupt;

/// The longest reply, octets.
const MAX_UDP: u16 = 1232;
/// The processor that the contenders run on.
const ANSWERER: usize = 1;
/// The one that sends to all of them, so that queries reach each of them from
/// another core's cache, and each of them can be asked more than it bears.
const SENDER: usize = 0;
/// How long a contender has its turn.
const TURN: Duration = Duration::from_millis(300);
/// Delegations from which on maps are larger than caches, and beyond which the
/// memory of a machine is not enough for all servers side by side.
const MANY: u64 = 1_000_000;

/// Puts contenders under load.
#[derive(Debug)]
pub struct UnderLoad {
    /// The folder of `dns-glue`.
    binaries: PathBuf,
    /// Rounds in which each contender has its turn.
    rounds: usize,
    /// Who takes part; all if nobody is named.
    chosen: Vec<Contender>,
}

impl UnderLoad {
    /// `binaries` is the folder of `dns-glue`; everybody is asked in so many
    /// rounds.
    #[must_use]
    pub fn new(binaries: &Path, rounds: usize, chosen: &[Contender]) -> Self {
        Self {
            binaries: binaries.to_owned(),
            rounds,
            chosen: chosen.to_owned(),
        }
    }
}

impl Measure for UnderLoad {
    fn measure(
        &mut self,
        zone: &ServedZone,
        workloads: &[Workload],
        failures: &mut Failures,
    ) -> Result<Vec<Measurement>> {
        let processors = std::thread::available_parallelism()?.get();
        ensure!(
            processors > ANSWERER,
            "load needs two processors: one asks, one answers"
        );
        self.note_who_is_left_out(zone, failures);
        let _buffers = ReceiveBuffers::raise();
        let folder = Folder::new("bench")?;
        let serving = Serving {
            zones: std::slice::from_ref(&zone.source),
            max_udp: MAX_UDP,
            folder: folder.path(),
            binaries: &self.binaries,
            processor: ANSWERER,
        };
        let mut measurements = Vec::new();
        // Two sets: with nobody behind dns-glue, misses have no reply.
        for is_all_referrals in [true, false] {
            let of_set = workloads
                .iter()
                .filter(|one| one.is_all_referrals == is_all_referrals);
            let of_set: Vec<&Workload> = of_set.collect();
            let mut contenders = contenders(zone, is_all_referrals);
            contenders.retain(|one| self.chosen.is_empty() || self.chosen.contains(one));
            measurements.extend(self.set(&serving, &contenders, &of_set, failures)?);
        }
        let place = |one: &Measurement| {
            let mut names = workloads.iter().map(|workload| &workload.name);
            names.position(|name| *name == one.workload)
        };
        measurements.sort_by_key(place);
        Ok(measurements)
    }
}

impl UnderLoad {
    /// Notes why somebody who might take part does not.
    fn note_who_is_left_out(&self, zone: &ServedZone, failures: &mut Failures) {
        let is_chosen = |one: &Contender| self.chosen.is_empty() || self.chosen.contains(one);
        for contender in Contender::ALL.into_iter().filter(is_chosen) {
            let Some(server) = contender.server() else {
                continue;
            };
            if !Program::Server(server).is_installed() {
                failures.leave_out(
                    format!("{contender}, load"),
                    format!("{server} is not installed"),
                );
            } else if zone.delegations > MANY {
                failures.leave_out(
                    format!("{contender}, load of {}", zone.name),
                    String::from("the zone is too large to be served by all side by side"),
                );
            }
        }
    }

    /// Some contenders under some workloads.
    fn set(
        &self,
        serving: &Serving<'_>,
        contenders: &[Contender],
        workloads: &[&Workload],
        failures: &mut Failures,
    ) -> Result<Vec<Measurement>> {
        let plan = Plan {
            rounds: self.rounds,
            turn: TURN,
        };
        let mut measurements = Vec::new();
        if workloads.is_empty() || contenders.is_empty() {
            return Ok(measurements);
        }
        let mut contest = Contest::start(contenders, serving, SENDER, failures)?;
        for workload in workloads {
            interrupt::check()?;
            eprintln!("{}", workload.name);
            let queries = PreparedQueries::new(workload.messages.iter())?;
            let measured = contest.hold(&workload.name, &queries, &plan, failures);
            measurements.extend(measured.with_context(|| workload.name.clone())?);
        }
        Ok(measurements)
    }
}

/// Who can answer: those that are installed, and of a large zone only those
/// in the kernel.
fn contenders(zone: &ServedZone, is_all_referrals: bool) -> Vec<Contender> {
    let can = |one: &Contender| match one {
        // Smaller maps are in caches.
        Contender::Reflector(Reflector::Reading(_)) => is_all_referrals && zone.delegations >= MANY,
        Contender::Reflector(_) => true,
        Contender::DnsGlue => is_all_referrals,
        Contender::DnsGlueBefore(server) | Contender::Server(server) => {
            zone.delegations <= MANY && Program::Server(*server).is_installed()
        }
        // What passing takes is of interest where queries pass.
        Contender::PassingBefore(server) => {
            !is_all_referrals && zone.delegations <= MANY && Program::Server(*server).is_installed()
        }
        Contender::KnotXdp => {
            let knot = Program::Server(crate::compare::Server::Knot);
            zone.delegations <= MANY && knot.is_installed()
        }
    };
    Contender::ALL.into_iter().filter(can).collect()
}
