//! `check` in words.

use std::collections::BTreeMap;
use std::fmt;

use super::check::{Check, MemoryCheck, PrunedCounts, ReplyCheck, ZoneCheck};
use super::fault_groups::FaultGroup;
use super::holdings::{GlueCounts, Holdings};
use super::listing::Listing;

impl fmt::Display for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for zone in &self.zones {
            writeln!(f, "{zone}")?;
        }
        writeln!(f, "search stops at: {}", counts(&self.stops))?;
        let PrunedCounts {
            nested_cuts,
            below_dname,
            in_other_zone,
        } = self.pruned;
        writeln!(
            f,
            "without effect: {nested_cuts} nested cuts, {below_dname} owners below a DNAME, \
             {in_other_zone} cuts in another zone served"
        )?;
        writeln!(
            f,
            "pieces of referrals: {} stored, {} of them shared; {} are proofs, {} of them shared",
            self.pieces.stored, self.pieces.shared, self.pieces.proofs, self.pieces.shared_proofs
        )?;
        writeln!(f, "{}", self.memory)?;
        for (loss, names) in &self.losses {
            writeln!(f, "too long for any reply, {loss}: {names}")?;
        }
        if self.too_deep.total != 0 {
            writeln!(f, "too many labels, queries pass: {}", self.too_deep)?;
        }
        self.write_faults(f)
    }
}

impl Check {
    fn write_faults(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.faults.is_empty() {
            return writeln!(f, "\nno faults");
        }
        let total: usize = self.faults.iter().map(|group| group.faults.total).sum();
        writeln!(f, "\nfaults: {total}")?;
        for group in &self.faults {
            let strict = if group.fatal_if_strict {
                "  refused with --strict"
            } else {
                ""
            };
            writeln!(f, "  {:>7} {}{strict}", group.faults.total, group.kind)?;
        }
        for group in &self.faults {
            write!(f, "\n{group}")?;
        }
        Ok(())
    }
}

impl fmt::Display for FaultGroup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for fault in &self.faults.listed {
            writeln!(f, "warning: {}: {}", self.kind, fault.message)?;
        }
        match self.faults.more() {
            0 => Ok(()),
            more => writeln!(f, "warning: {}: and {more} more: --all", self.kind),
        }
    }
}

impl fmt::Display for Listing<String> {
    /// `3 (a. b. and 1 more: --all)`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.total)?;
        if self.total == 0 {
            return Ok(());
        }
        write!(f, " ({}", self.listed.join(" "))?;
        match self.more() {
            0 => f.write_str(")"),
            more => write!(f, " and {more} more: --all)"),
        }
    }
}

/// `1 dname, 2 zone-apex`.
fn counts(counts: &BTreeMap<&'static str, usize>) -> String {
    let counts: Vec<String> = counts
        .iter()
        .map(|(name, count)| format!("{count} {name}"))
        .collect();
    counts.join(", ")
}

impl fmt::Display for ZoneCheck {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            apex,
            serial,
            records,
            denial,
            holdings,
            replies,
        } = self;
        let signed = match *denial {
            "unsigned" => String::from("not signed"),
            denial => format!("signed with {denial}"),
        };
        writeln!(
            f,
            "zone {apex} serial {serial}: {records} records, {signed}"
        )?;
        write!(f, "{holdings}")?;
        if holdings.delegations == 0 {
            return Ok(());
        }
        writeln!(
            f,
            "  {:<20} {:>6} {:>6} {:>6}  {:>9} {:>9} {:>9}",
            "REPLY OCTETS", "MIN", "MEDIAN", "MAX", "TC=1", "LESS GLUE", "PASS"
        )?;
        for reply in replies {
            writeln!(f, "{reply}")?;
        }
        for reply in replies.iter().filter(|reply| reply.truncated.total != 0) {
            writeln!(f, "  TC=1, {}: {}", reply.class(), reply.truncated)?;
        }
        for reply in replies.iter().filter(|reply| !reply.passing.is_empty()) {
            writeln!(f, "  pass, {}: {}", reply.class(), counts(&reply.passing))?;
        }
        Ok(())
    }
}

impl fmt::Display for Holdings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "  {} delegations to {} name servers ({} NS records)",
            self.delegations, self.name_servers, self.ns_records
        )?;
        writeln!(
            f,
            "  DNSSEC: {} with DS, {} with NSEC, {} with NSEC3, {} by opt-out, {} unsigned",
            self.proofs.ds,
            self.proofs.nsec,
            self.proofs.nsec3,
            self.proofs.opt_out,
            self.proofs.unsigned
        )?;
        for (kind, glue) in [
            ("in-domain glue", &self.in_domain),
            ("sibling glue", &self.sibling),
            ("authoritative addresses", &self.authoritative),
        ] {
            let GlueCounts {
                delegations,
                rrsets,
                addresses,
            } = glue;
            writeln!(
                f,
                "  {kind}: {rrsets} RRsets, {addresses} addresses, in {delegations} delegations"
            )?;
        }
        Ok(())
    }
}

impl ReplyCheck {
    /// `EDNS 1232 DO`.
    fn class(&self) -> String {
        let dnssec = if self.dnssec { " DO" } else { "" };
        match self.edns_udp_octets {
            None => String::from("no EDNS"),
            Some(octets) => format!("EDNS {octets}{dnssec}"),
        }
    }
}

impl fmt::Display for ReplyCheck {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let number = |number: Option<usize>| number.map_or(String::from("-"), |n| n.to_string());
        write!(
            f,
            "  {:<20} {:>6} {:>6} {:>6}  {:>9} {:>9} {:>9}",
            self.class(),
            number(self.octets.map(|octets| octets.min)),
            number(self.octets.map(|octets| octets.median)),
            number(self.octets.map(|octets| octets.max)),
            self.truncated.total,
            self.without_optional_glue,
            self.passing.values().sum::<usize>(),
        )
    }
}

impl fmt::Display for MemoryCheck {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "map memory: {} octets (index {}, pieces {}, fixed {} with {} CPUs)",
            self.total, self.index, self.pieces, self.fixed, self.cpus
        )?;
        match self.octets_per_delegation {
            None => Ok(()),
            Some(octets) => write!(f, ", {octets:.1} a delegation"),
        }
    }
}
