//! Our referral against what the zone has, and against another server's.
//!
//! Ours is held to the rules whoever the other is: whole RRsets in their
//! order, as many as fit, TC=1 exactly if something needed is missing. What
//! fits is worked out from the lengths of the records. Then theirs is compared
//! with ours; a difference near a limit has to follow from the length of
//! theirs.

use std::fmt::Display;

use super::encoding::{Names, SLACK_OCTETS};
use super::fault::Fault;
use super::ground::Ground;
use super::parts::{Parts, Standing};
use super::query::{OPT_OCTETS, Query};
use super::record::text_of;
use super::reply::{Reply, flag};
use super::wholes::Reference;

/// What a comparison came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Judgement {
    /// The result.
    pub outcome: Outcome,
    /// Known faults of the other server, which explain what differs.
    pub faults: Vec<Fault>,
}

/// The result of a comparison.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The same records in every section, but for the faults.
    Equal,
    /// Both say TC=1; what is left of the bodies is each server's own choice.
    BothTruncated,
    /// The lengths of the two encodings explain why one truncates and the other
    /// does not, or which optional records are there.
    BySize(Sizes),
    /// Nothing but the known faults explains it.
    Fault,
    /// Not explained.
    Difference(String),
}

/// Octets of two encodings of one referral.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sizes {
    /// The longest reply allowed.
    pub limit: usize,
    /// Ours up to the last record that is needed, and as a whole.
    pub ours: [usize; 2],
    /// Theirs.
    pub theirs: [usize; 2],
}

/// Compares referrals.
#[derive(Clone, Debug)]
pub struct Judge<R> {
    /// The other server.
    pub reference: R,
    /// Octets of our longest reply: `--max-udp`, or what the MTU carries.
    pub max_udp: usize,
    /// Whether our replies copy CD (`--copy-cd`).
    pub copy_cd: bool,
}

impl<R: Reference> Judge<R> {
    /// Compares two replies over UDP to a query.
    ///
    /// # Errors
    ///
    /// The whole referral was needed, and the other server gives none.
    pub fn judge(
        &mut self,
        ground: &Ground,
        query: &[u8],
        ours: &[u8],
        theirs: &[u8],
    ) -> Result<Judgement, R::Error> {
        let Some(asked) = Query::parse(query) else {
            return Ok(difference("not a query that a referral answers"));
        };
        let (ours, theirs) = match (Reply::parse(ours), Reply::parse(theirs)) {
            (Ok(ours), Ok(theirs)) => (ours, theirs),
            (Err(error), _) => return Ok(difference(format!("our reply: {error}"))),
            (_, Err(error)) => return Ok(difference(format!("their reply: {error}"))),
        };
        let mut case = Case {
            ground,
            limit: asked.limit(self.max_udp),
            asked: &asked,
            ours: &ours,
            theirs: &theirs,
            faults: Vec::new(),
        };
        let outcome = self.outcome(&mut case, query)?;
        let outcome = match outcome {
            Ok(outcome) => outcome,
            Err(what) => Outcome::Difference(case.tell(&what)),
        };
        Ok(Judgement {
            outcome,
            faults: case.faults,
        })
    }

    /// The outcome, or what differs.
    fn outcome(
        &mut self,
        case: &mut Case<'_>,
        query: &[u8],
    ) -> Result<Result<Outcome, String>, R::Error> {
        if let Err(what) = case.check_shape(self.max_udp, self.copy_cd) {
            return Ok(Err(what.to_owned()));
        }
        let are_equal = case.ours.sections == case.theirs.sections
            && case.ours.truncated() == case.theirs.truncated();
        if are_equal && case.has_all_addresses() {
            return Ok(Ok(Outcome::Equal));
        }
        let whole = self.reference.whole(case.ground, case.asked.dnssec)?;
        let parts = match Parts::of(case.ground, &whole, case.ours) {
            Ok(parts) => parts,
            Err(what) => return Ok(Err(what)),
        };
        let standing = match case.check_ours(&parts) {
            Ok(standing) => standing,
            Err(what) => return Ok(Err(what)),
        };
        if parts.lacks_authoritative {
            case.faults.push(Fault::NoAuthoritativeAddresses);
        }
        if !parts.by_wildcard.is_empty() {
            case.faults.push(Fault::WildcardAddresses);
        }
        if let Err(what) = parts.check_theirs(case.theirs) {
            return Ok(Err(what));
        }
        let truncated = [case.ours.truncated(), case.theirs.truncated()];
        if truncated[0] == truncated[1] && parts.same_of_both(case.ours, case.theirs) {
            return Ok(Ok(Outcome::Equal));
        }
        if truncated == [true, true] {
            return Ok(Ok(Outcome::BothTruncated));
        }
        let over_tcp = self.reference.over_tcp(query)?;
        if over_tcp.sections != whole.sections {
            return Ok(Err(format!(
                "over TCP, this query gets another referral: {over_tcp}"
            )));
        }
        Ok(case.explain(&parts, &standing, &over_tcp))
    }
}

fn difference(what: impl Display) -> Judgement {
    Judgement {
        outcome: Outcome::Difference(what.to_string()),
        faults: Vec::new(),
    }
}

/// One comparison under way.
struct Case<'a> {
    ground: &'a Ground,
    asked: &'a Query,
    limit: usize,
    ours: &'a Reply,
    theirs: &'a Reply,
    faults: Vec<Fault>,
}

impl Case<'_> {
    /// The difference for people.
    fn tell(&self, what: &str) -> String {
        let Self {
            asked,
            ours,
            theirs,
            limit,
            ..
        } = self;
        let number = |at: usize| u16::from_be_bytes([asked.question[at], asked.question[at + 1]]);
        let name = asked.name();
        let size = asked
            .size
            .map_or_else(|| String::from("none"), |size| size.to_string());
        format!(
            "{what}\nquery: {} type {} flags {:#06x} size {size} DO {}, limit {limit}, cut {}\n\
             ours: {ours}\ntheirs: {theirs}",
            text_of(name),
            number(name.len()),
            asked.flags,
            asked.dnssec,
            text_of(&self.ground.cut),
        )
    }

    /// What must be the same whatever fits: header, question, OPT record.
    fn check_shape(&mut self, max_udp: usize, copy_cd: bool) -> Result<(), &'static str> {
        let Self {
            asked,
            limit,
            ours,
            theirs,
            ..
        } = self;
        let mut flags = flag::QR | (asked.flags & flag::RD) | (ours.flags & flag::TC);
        if copy_cd {
            flags |= asked.flags & flag::CD;
        }
        if ours.id != asked.id || ours.flags != flags || ours.rcode != 0 {
            return Err("the header of our reply");
        }
        if ours.question != asked.question {
            return Err("the question of our reply");
        }
        if ours.octets > *limit {
            return Err("our reply is too long");
        }
        let opt_is_right = match &ours.opt {
            None => asked.size.is_none(),
            Some(opt) => {
                // The MTU may cap a reply below the size that we tell.
                asked.size.is_some()
                    && usize::from(opt.size) >= max_udp
                    && opt.version == 0
                    && opt.flags == if asked.dnssec { 0x8000 } else { 0 }
            }
        };
        if !opt_is_right {
            return Err("the OPT record of our reply");
        }
        let free = flag::TC | flag::CD;
        if ours.flags & !free != theirs.flags & !free || theirs.rcode != 0 {
            return Err("the header");
        }
        match (ours.flags & flag::CD, theirs.flags & flag::CD) {
            (0, flag::CD) if asked.flags & flag::CD != 0 => self.faults.push(Fault::CdCopied),
            (ours, theirs) if ours != theirs => return Err("the CD flag"),
            _ => {}
        }
        if ours.question != theirs.question {
            return Err("the question");
        }
        let opt = |reply: &Reply| {
            let opt = reply.opt.clone();
            opt.map(|opt| (opt.version, opt.flags, opt.options))
        };
        if opt(ours) != opt(theirs) {
            return Err("the OPT record");
        }
        if theirs.octets > *limit {
            return Err("their reply is longer than client, --max-udp and MTU allow ours to be");
        }
        Ok(())
    }

    /// Whether our reply has all addresses that the zone has for it, so that
    /// nothing can be missing but what both leave out.
    fn has_all_addresses(&self) -> bool {
        !self.ours.truncated()
            && self.ground.addresses.iter().all(|address| {
                self.ours.sections[2].records().any(|record| {
                    record.rtype() == address.rtype && record.owner() == &*address.owner
                })
            })
    }

    /// Holds our reply to the rules.
    fn check_ours(&self, parts: &Parts) -> Result<Standing, String> {
        let standing = parts.standing(self.ours)?;
        if let Some(next) = standing.missing.first() {
            let slack = if standing.kept == 0 { SLACK_OCTETS } else { 0 };
            if self.ours.octets + next.octets + slack <= self.limit {
                return Err(format!(
                    "{} has {} octets and would fit into our reply",
                    next.what, next.octets
                ));
            }
        }
        let is_needed = standing.missing.iter().any(|part| part.is_needed);
        if self.ours.truncated() != is_needed {
            return Err(String::from(
                "our TC does not tell whether something needed is missing",
            ));
        }
        Ok(standing)
    }

    /// Explains, by the length of their encoding, why theirs is not ours.
    fn explain(
        &mut self,
        parts: &Parts,
        standing: &Standing,
        over_tcp: &Reply,
    ) -> Result<Outcome, String> {
        let sizes = Sizes {
            limit: self.limit,
            ours: [standing.needed_octets, standing.whole_octets],
            theirs: [
                over_tcp.octets - parts.optional_octets,
                over_tcp.octets + parts.foreign_octets,
            ],
        };
        let gain = self.prefix_gain(parts);
        if sizes.ours[1] > sizes.theirs[1] + SLACK_OCTETS + gain {
            return Err(format!("our encoding is too long: {sizes:?}"));
        }
        let needed_fits = sizes.theirs[0] <= self.limit;
        let whole_fits = sizes.ours[1].max(over_tcp.octets) <= self.limit;
        let lacks_needed = parts.lacks_needed(self.theirs);
        if whole_fits && self.theirs_stops_short(over_tcp) {
            self.faults.push(Fault::StopsShort);
            return Ok(Outcome::Fault);
        }
        match (self.ours.truncated(), self.theirs.truncated()) {
            (_, false) if lacks_needed && over_tcp.octets <= self.limit => Err(format!(
                "theirs lacks in-domain glue that fits, without TC: {sizes:?}"
            )),
            _ if whole_fits => Err(format!("both have room for all records: {sizes:?}")),
            (_, false) if lacks_needed => {
                self.faults.push(Fault::PartialGlue);
                Ok(Outcome::Fault)
            }
            (true, false) if !needed_fits => {
                Err(format!("theirs holds more than its length: {sizes:?}"))
            }
            (false, true) if needed_fits => {
                self.faults.push(Fault::TruncatedForOptional);
                Ok(Outcome::Fault)
            }
            _ => Ok(Outcome::BySize(sizes)),
        }
    }

    /// Whether theirs ends, without TC, where [`Fault::StopsShort`] says.
    fn theirs_stops_short(&self, over_tcp: &Reply) -> bool {
        /// Octets of a reply without its OPT record, over IPv6 and IPv4.
        const STOPS: [usize; 2] = [1220, 1232];
        let opt_octets = if self.asked.size.is_some() {
            OPT_OCTETS
        } else {
            0
        };
        !self.theirs.truncated()
            && self.limit > STOPS[1] + opt_octets
            && self.theirs.octets <= STOPS[1] + opt_octets
            && over_tcp.octets > STOPS[0] + opt_octets
    }

    /// Octets that a server saves whose pointers lead into the part of QNAME in
    /// front of the cut as well.
    fn prefix_gain(&self, parts: &Parts) -> usize {
        let octets = |name: &[u8]| {
            let mut names = Names::default();
            names.write(name);
            parts
                .targets
                .iter()
                .map(|name| names.write(name))
                .sum::<usize>()
        };
        octets(&self.ground.cut) - octets(self.asked.name())
    }
}

#[cfg(test)]
mod tests;
