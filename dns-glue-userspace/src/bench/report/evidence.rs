//! What goals are judged by, found by contender and by workload or zone.

use crate::bench::results::{Measurement, ProgramCase, ZoneWork};
use crate::compare::Server;

/// What was measured.
#[derive(Clone, Copy, Debug)]
pub struct Evidence<'r> {
    /// Contenders under load.
    pub measurements: &'r [Measurement],
    /// What zones take.
    pub zone_work: &'r [ZoneWork],
    /// The program alone.
    pub cases: &'r [ProgramCase],
}

impl<'r> Evidence<'r> {
    /// A contender under a workload.
    pub fn measurement(self, contender: &str, workload: &str) -> Option<&'r Measurement> {
        self.measurements
            .iter()
            .find(|one| one.contender == contender && one.workload == workload)
    }

    /// Processor time of a reply, to that of another contender under the same
    /// workload.
    pub fn core_time(self, contender: &str, base: &str, workload: &str) -> Option<f64> {
        let base = self.measurement(base, workload)?;
        self.measurement(contender, workload)?.core_time_to(base)
    }

    /// Replies a second, if they are as many as its core can give.
    pub fn saturated_rate(self, contender: &str, workload: &str) -> Option<f64> {
        let measurement = self.measurement(contender, workload)?;
        let is_saturated = measurement.is_saturated();
        is_saturated.then_some(measurement.replies_per_second.median)
    }

    /// Time of its program for a packet, in nanoseconds.
    pub fn program_ns(self, contender: &str, workload: &str) -> Option<f64> {
        let measurement = self.measurement(contender, workload)?;
        measurement.program_ns.map(|spread| spread.median)
    }

    /// What a zone takes.
    pub fn work(self, contender: &str, zone: &str) -> Option<&'r ZoneWork> {
        self.zone_work
            .iter()
            .find(|one| one.contender == contender && one.zone == zone)
    }

    /// The least that a server takes of something for a zone.
    pub fn least(self, zone: &str, take: impl Fn(&ZoneWork) -> Option<f64>) -> Option<f64> {
        let servers = [Server::Knot, Server::Nsd, Server::Bind].map(|one| one.to_string());
        let works = servers.iter().filter_map(|one| self.work(one, zone));
        works.filter_map(take).min_by(f64::total_cmp)
    }
}

/// One number to another, if both were measured.
pub fn ratio(of: Option<f64>, to: Option<f64>) -> Option<f64> {
    Some(of? / to?)
}

/// Octets of memory of a server that serves.
pub fn served(work: &ZoneWork) -> Option<f64> {
    work.served_octets.map(|octets| octets as f64)
}

/// Octets of the maps of dns-glue.
pub fn maps(work: Option<&ZoneWork>) -> Option<f64> {
    work?.map_octets.map(|octets| octets as f64)
}

/// The same with the memory of its daemon.
pub fn maps_and_daemon(work: Option<&ZoneWork>) -> Option<f64> {
    Some(maps(work)? + served(work?)?)
}
