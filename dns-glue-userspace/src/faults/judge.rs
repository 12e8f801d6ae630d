//! Of which version of the zone a reply is: of one, of several, or of none.

use super::query::{Due, Query};
use super::versions::{Knowledge, Known, Part, Referral, Versions};
use crate::compare::Reply;
use crate::compare::encoding::{POINTER_OCTETS, SLACK_OCTETS};
use crate::compare::record::Record;
use crate::compare::reply::flag;

/// The highest of the EDNS flags (RFC 4035 section 4.9.1).
const DO: u16 = 0x8000;

/// What a reply is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Judgement {
    /// What is due, as these versions have it.
    Right(Versions),
    /// Records of several versions, none of which has them all.
    Mixed(String),
    /// Neither.
    Wrong(String),
}

/// Judges the reply to a query.
#[must_use]
pub fn judge(knowledge: &Knowledge, query: &Query, octets: &[u8]) -> Judgement {
    let reply = match Reply::parse(octets) {
        Ok(reply) => reply,
        Err(error) => return Judgement::Wrong(format!("{error}: {octets:02x?}")),
    };
    if let Err(what) = check_head(query, &reply) {
        return Judgement::Wrong(format!("{what}: {reply}"));
    }
    match query.due {
        Due::Referral(place) => judge_referral(&knowledge.delegations[place], query, &reply),
        Due::Apex => judge_apex(&knowledge.soa_behind, &reply),
    }
}

/// Everything that is the same in all replies.
fn check_head(query: &Query, reply: &Reply) -> Result<(), &'static str> {
    let is = |right: bool, what| if right { Ok(()) } else { Err(what) };
    is(reply.flags & flag::QR != 0, "no response")?;
    is(reply.rcode == 0, "an error")?;
    let others = !(flag::QR | flag::AA | flag::TC);
    is(reply.flags & others == 0, "a flag that nobody set")?;
    let question = &query.message[12..query.question_end];
    is(*reply.question == *question, "another question")?;
    is(reply.octets <= query.limit, "longer than the client takes")?;
    is(reply.opt.is_some() == query.edns, "an OPT record, or none")?;
    let opt = reply.opt.as_ref();
    let is_dnssec = opt.is_some_and(|opt| opt.flags & DO != 0);
    is(is_dnssec == query.dnssec, "DO is not copied")?;
    is(opt.is_none_or(|opt| opt.version == 0), "the EDNS version")
}

/// The SOA record comes from the server behind, whatever the kernel has.
fn judge_apex(soa: &Record, reply: &Reply) -> Judgement {
    let answer: Vec<&Record> = reply.sections[0].records().collect();
    if reply.authoritative() && answer == [soa] {
        Judgement::Right(Versions::BEHIND)
    } else {
        Judgement::Wrong(format!("not the server behind's SOA record: {reply}"))
    }
}

fn judge_referral(known: &Known, query: &Query, reply: &Reply) -> Judgement {
    let mut right = Versions::NONE;
    let mut misfits = Vec::new();
    for (place, referral) in known.referrals.iter().enumerate() {
        match fit(referral, query, reply) {
            Ok(()) => right = right.or(Versions::at(place)),
            Err(why) => misfits.push((Versions::at(place), why)),
        }
    }
    if !right.is_empty() {
        return Judgement::Right(right);
    }
    let mut of_all = Versions::ALL;
    for record in reply.sections[1..]
        .iter()
        .flat_map(|section| section.records())
    {
        let having = versions_with(known, record);
        if having.is_empty() {
            return Judgement::Wrong(format!("{record} is of no version: {reply}"));
        }
        of_all = of_all.and(having);
    }
    if of_all.is_empty() {
        return Judgement::Mixed(reply.to_string());
    }
    let mut of_one = misfits
        .into_iter()
        .filter(|(version, _)| !of_all.and(*version).is_empty());
    let why = of_one
        .next()
        .map_or_else(String::new, |(version, why)| format!("{version}: {why}"));
    Judgement::Wrong(format!("{why}: {reply}"))
}

fn versions_with(known: &Known, record: &Record) -> Versions {
    let places = known.referrals.iter().enumerate();
    let having = places.filter(|(_, referral)| referral.has(record));
    having.fold(Versions::NONE, |all, (place, _)| {
        all.or(Versions::at(place))
    })
}

/// Whether a reply is the referral of a version: each RRset whole or not at
/// all, all that is needed or TC=1, nothing left out that has room, and nothing
/// else.
fn fit(referral: &Referral, query: &Query, reply: &Reply) -> Result<(), String> {
    if reply.authoritative() {
        return Err(String::from("AA=1"));
    }
    if !reply.sections[0].0.is_empty() {
        return Err(String::from("an answer"));
    }
    let mut present = [0; 3];
    let mut missing: Vec<&Part> = Vec::new();
    for part in referral
        .parts
        .iter()
        .filter(|part| query.dnssec || !part.is_proof)
    {
        let section = &reply.sections[part.section];
        let found = part
            .records
            .iter()
            .filter(|record| section.has(record))
            .count();
        present[part.section] += found;
        if found == 0 {
            missing.push(part);
        } else if found != part.records.len() {
            let of = part.records.len();
            return Err(format!("{found} of {of} records with {}", part.records[0]));
        }
    }
    for (section, present) in reply.sections.iter().zip(present) {
        if section.0.len() != present {
            return Err(String::from("records that are not of this referral"));
        }
    }
    check_missing(&missing, query, reply)
}

fn check_missing(missing: &[&Part], query: &Query, reply: &Reply) -> Result<(), String> {
    let needed: Vec<&&Part> = missing.iter().filter(|part| part.is_needed).collect();
    let room = query.limit - reply.octets;
    if reply.truncated() {
        let uncompressed = |part: &&&Part| -> usize {
            part.records
                .iter()
                .map(|record| record.as_slice().len())
                .sum()
        };
        let octets: usize = needed.iter().map(uncompressed).sum();
        // Compressed they may be shorter, but never longer.
        return match octets > room {
            true => Ok(()),
            false => Err(String::from("TC=1, and all that is needed has room")),
        };
    }
    if let Some(part) = needed.first() {
        return Err(format!("TC=0 without {}", part.records[0]));
    }
    for part in missing {
        let compressed = |record: &Record| record.octets_behind(POINTER_OCTETS);
        let octets: usize = part.records.iter().map(compressed).sum();
        if octets + SLACK_OCTETS <= room && part.is_largest_of(missing) {
            return Err(format!("there is room for {}", part.records[0]));
        }
    }
    Ok(())
}

impl Part {
    /// Whether none of them is longer: what is left out first did not fit, and
    /// which that was, nobody knows here.
    fn is_largest_of(&self, parts: &[&Self]) -> bool {
        let octets = |part: &Self| -> usize {
            let each = part
                .records
                .iter()
                .map(|record| record.octets_behind(POINTER_OCTETS));
            each.sum()
        };
        parts.iter().all(|part| octets(part) <= octets(self))
    }
}

#[cfg(test)]
mod tests;
