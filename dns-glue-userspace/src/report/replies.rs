//! The replies for the bare name of each delegation, in each size class, by
//! the program's own code.

use std::num::NonZero;
use std::thread;

use dns_glue_common::limits::{DEFAULT_UDP_OCTETS, MAX_UDP_OCTETS, MIN_UDP_OCTETS};
use dns_glue_common::policy::Policy;
use dns_glue_common::reason::Reason;
use domain::base::iana::Rtype;

use super::query::{Edns, write_query};
use crate::compile::{Generation, Loss, Report};
use crate::host::Runner;

/// What a client lets the server send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SizeClass {
    /// Octets of the longest reply that it takes; `None` without EDNS (512).
    pub udp_octets: Option<u16>,
    /// DO.
    pub dnssec: bool,
}

impl SizeClass {
    /// Those that matter to a server that sends at most `max_udp` octets:
    /// without EDNS, and with and without DO 512, 1232 and `max_udp`.
    pub fn all(max_udp: u16) -> Vec<Self> {
        let mut sizes = [MIN_UDP_OCTETS as u16, DEFAULT_UDP_OCTETS as u16, max_udp];
        sizes.sort_unstable();
        let mut classes = vec![Self {
            udp_octets: None,
            dnssec: false,
        }];
        for size in sizes {
            for dnssec in [false, true] {
                let class = Self {
                    udp_octets: Some(size),
                    dnssec,
                };
                if size <= max_udp && !classes.contains(&class) {
                    classes.push(class);
                }
            }
        }
        classes
    }

    fn edns(self, nsid: bool) -> Option<Edns> {
        self.udp_octets.map(|udp_octets| Edns {
            udp_octets,
            dnssec: self.dnssec,
            nsid,
        })
    }
}

/// The replies of one size class to queries for the names of delegations.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Replies {
    /// The size class.
    pub class: SizeClass,
    /// How many replies have so many octets.
    by_octets: Vec<u32>,
    /// Delegations, by their place, whose reply has TC=1; ascending.
    pub truncated: Vec<usize>,
    /// Delegations, by their place, whose reply has TC=0 and lacks some
    /// sibling or authoritative addresses; ascending.
    pub partial: Vec<usize>,
    /// Delegations, by their place, for which the query passes, and why;
    /// ascending.
    pub passing: Vec<(usize, Reason)>,
}

impl Replies {
    fn none(class: SizeClass) -> Self {
        Self {
            class,
            by_octets: vec![0; MAX_UDP_OCTETS + 1],
            truncated: Vec::new(),
            partial: Vec::new(),
            passing: Vec::new(),
        }
    }

    /// Replies in all.
    pub fn count(&self) -> usize {
        self.by_octets.iter().map(|count| *count as usize).sum()
    }

    /// The octets of the reply at `place` once they stand from short to long.
    pub fn octets_at(&self, place: usize) -> Option<usize> {
        let mut before = 0;
        self.by_octets.iter().position(|count| {
            before += *count as usize;
            before > place
        })
    }

    fn note(&mut self, place: usize, report: &Report<'_>, answer: Result<(&[u8], Reason), Reason>) {
        let (reply, outcome) = match answer {
            Ok(answer) => answer,
            Err(reason) => {
                self.passing.push((place, reason));
                return;
            }
        };
        self.by_octets[reply.len()] += 1;
        // What the compiler had to leave out the program does not miss.
        let lossy = report.loss == Some(Loss::OptionalGlue);
        match outcome {
            Reason::ReferralTruncated => self.truncated.push(place),
            Reason::ReferralPartial => self.partial.push(place),
            _ if lossy => self.partial.push(place),
            _ => {}
        }
    }

    /// Adds those of delegations that stand behind all of these.
    fn append(&mut self, mut later: Self) {
        for (count, more) in self.by_octets.iter_mut().zip(later.by_octets) {
            *count += more;
        }
        self.truncated.append(&mut later.truncated);
        self.partial.append(&mut later.partial);
        self.passing.append(&mut later.passing);
    }
}

/// Asks for the name of each delegation in every size class, on all
/// processors.
pub fn ask_all(generation: &Generation, policy: &Policy, reports: &[Report<'_>]) -> Vec<Replies> {
    let classes = SizeClass::all(policy.max_udp);
    let threads = thread::available_parallelism().map_or(1, NonZero::get);
    let share = reports.len().div_ceil(threads).max(1);
    let ask = |part: usize, reports: &[Report<'_>]| {
        ask_some(generation, policy, &classes, part * share, reports)
    };
    let mut total: Vec<Replies> = classes.iter().copied().map(Replies::none).collect();
    thread::scope(|scope| {
        let ask = &ask;
        let parts: Vec<_> = reports
            .chunks(share)
            .enumerate()
            .map(|(part, reports)| scope.spawn(move || ask(part, reports)))
            .collect();
        for part in parts {
            let replies = part.join().expect("asking does not panic");
            for (total, replies) in total.iter_mut().zip(replies) {
                total.append(replies);
            }
        }
    });
    total
}

/// Asks for some delegations, the first of which has the place `first`.
fn ask_some(
    generation: &Generation,
    policy: &Policy,
    classes: &[SizeClass],
    first: usize,
    reports: &[Report<'_>],
) -> Vec<Replies> {
    let mut replies: Vec<Replies> = classes.iter().copied().map(Replies::none).collect();
    let mut runner = Runner::new(generation, *policy);
    // The longest replies are those to clients that ask for the identifier.
    let nsid = policy.nsid.is_some();
    let mut query = Vec::new();
    for (place, report) in reports.iter().enumerate() {
        for replies in &mut replies {
            write_query(&mut query, report.cut, Rtype::A, replies.class.edns(nsid));
            replies.note(first + place, report, runner.answer(&query));
        }
    }
    replies
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sizes(max_udp: u16) -> Vec<(Option<u16>, bool)> {
        let classes = SizeClass::all(max_udp);
        let sizes = classes.iter().map(|class| (class.udp_octets, class.dnssec));
        sizes.collect()
    }

    #[test]
    fn no_class_comes_twice_or_beyond_the_maximum() {
        let (plain, small) = ((None, false), [(Some(512), false), (Some(512), true)]);
        let usual = [(Some(1232), false), (Some(1232), true)];
        assert_eq!(sizes(512), [&[plain], &small[..]].concat());
        assert_eq!(sizes(1232), [&[plain], &small[..], &usual].concat());
        let large = [(Some(1400), false), (Some(1400), true)];
        assert_eq!(sizes(1400), [&[plain], &small[..], &usual, &large].concat());
        let between = [(Some(900), false), (Some(900), true)];
        assert_eq!(sizes(900), [&[plain], &small[..], &between].concat());
    }

    #[test]
    fn replies_by_their_length() {
        let mut replies = Replies::none(SizeClass::all(512)[0]);
        assert_eq!(replies.octets_at(0), None);
        for octets in [100, 40, 40, 500] {
            replies.by_octets[octets] += 1;
        }
        assert_eq!(replies.count(), 4);
        let all: Vec<_> = (0..5).map(|place| replies.octets_at(place)).collect();
        assert_eq!(all, [Some(40), Some(40), Some(100), Some(500), None]);
    }
}
