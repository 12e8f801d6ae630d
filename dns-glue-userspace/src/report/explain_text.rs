//! `explain` in words, as comments below the reply.

use std::fmt;

use dns_glue_common::limits::HEADER_OCTETS;
use dns_glue_common::reason::Reason;

use super::dig::Dig;
use super::explain::{Ask, Explanation, Part, Referral, Room, Sent, Standing, Verdict, loss_text};
use crate::compile::Report;
use crate::zone::cuts::{Delegation, StopReason};
use crate::zone::proof::{OptOut, Proof};
use crate::zone::records::NameRef;

impl fmt::Display for Explanation<'_, '_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.verdict {
            Verdict::Refers(referral) => {
                write!(f, "{}", Dig(&referral.message))?;
                writeln!(f, "\n;; WHY: the program in the kernel answers")?;
                write_outcome(f, referral.outcome)?;
                self.write_standing(f)?;
                self.write_referral(f, referral)
            }
            Verdict::Passes(reason) => {
                writeln!(
                    f,
                    ";; WHY: the query passes to the server behind, as it came"
                )?;
                write_outcome(f, *reason)?;
                self.write_standing(f)?;
                if let Reason::TypeDs | Reason::TypeNsec | Reason::TypeDeleg = reason {
                    let rtype = self.ask.rtype;
                    writeln!(
                        f,
                        "; the parent's own data: below the cut {rtype} is referred"
                    )?;
                }
                Ok(())
            }
        }
    }
}

fn write_outcome(f: &mut fmt::Formatter<'_>, outcome: Reason) -> fmt::Result {
    writeln!(f, "; counted as {}: {}", outcome.name(), outcome.meaning())
}

impl Explanation<'_, '_> {
    fn write_standing(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.standing {
            Standing::Delegation(delegation, report) => {
                self.write_delegation(f, delegation, report)
            }
            Standing::Stop(stop) => {
                let place = Place(&self.ask, stop.name);
                let what = stop_text(stop.why);
                writeln!(f, "; {place} {}, {what}", stop.name.fmt_with_dot())
            }
            Standing::Outside => writeln!(f, "; QNAME is in none of the zones"),
        }
    }

    fn write_delegation(
        &self,
        f: &mut fmt::Formatter<'_>,
        delegation: &Delegation<'_>,
        report: &Report<'_>,
    ) -> fmt::Result {
        writeln!(
            f,
            "; {} {}, a zone cut of {} (serial {})",
            Place(&self.ask, delegation.cut),
            delegation.cut.fmt_with_dot(),
            delegation.zone.apex().fmt_with_dot(),
            delegation.zone.serial()
        )?;
        if report.too_deep {
            writeln!(
                f,
                "; the cut has a number of labels that the program does not look for"
            )?;
        }
        match report.loss {
            None => Ok(()),
            Some(loss) => writeln!(f, "; {}", loss_text(loss)),
        }
    }

    fn write_referral(&self, f: &mut fmt::Formatter<'_>, referral: &Referral) -> fmt::Result {
        let Referral {
            message,
            outcome,
            room,
            left_out,
        } = referral;
        write!(f, "{room}")?;
        self.write_proof(f, room.proof)?;
        writeln!(f, "; glue: {}", room.glue)?;
        writeln!(f, "; reply: {} octets", message.len())?;
        for rrset in left_out {
            let (owner, rtype) = (rrset.owner.fmt_with_dot(), rrset.rtype);
            writeln!(f, "; left out: {}: {owner} {rtype}", rrset.part)?;
        }
        let needed = left_out.iter().map(|rrset| rrset.part).min();
        let why = why_truncated(needed);
        let truncated = u8::from(*outcome == Reason::ReferralTruncated);
        writeln!(f, "; TC={truncated}: {why}")
    }

    fn write_proof(&self, f: &mut fmt::Formatter<'_>, sent: Sent) -> fmt::Result {
        let Standing::Delegation(delegation, _) = self.standing else {
            return Ok(());
        };
        let asked = self.ask.edns.is_some_and(|edns| edns.dnssec);
        match delegation.proof {
            Proof::Unsigned => writeln!(f, "; proof: none, the zone is not signed"),
            _ if !asked => writeln!(f, "; proof: not asked for (DO=0)"),
            Proof::Ds(_) => writeln!(f, "; proof: {sent} (DS with signatures)"),
            Proof::Nsec(_) => writeln!(f, "; proof: {sent} (NSEC with signatures: no DS)"),
            Proof::Nsec3(_) => writeln!(
                f,
                "; proof: {sent} (NSEC3 of the cut with signatures: no DS)"
            ),
            Proof::OptOut(OptOut { encloser, cover }) if encloser == cover => writeln!(
                f,
                "; proof: {sent} (opt-out: one NSEC3 that matches the closest encloser and \
                 covers the next closer name, with signatures)"
            ),
            Proof::OptOut(_) => writeln!(
                f,
                "; proof: {sent} (opt-out: the NSEC3 that matches the closest encloser and the \
                 one that covers the next closer name, with signatures)"
            ),
        }
    }
}

/// Why TC is what it is, by the most important part that is missing.
fn why_truncated(missing: Option<Part>) -> &'static str {
    match missing {
        None => "nothing is left out",
        Some(Part::NameServers) => "the NS RRset does not fit, so the reply holds no record",
        Some(Part::Proof) => "DS or denial does not fit (RFC 4035 sections 3.1.4 and 3.1.1)",
        Some(Part::InDomainGlue) => "in-domain glue is left out (RFC 9471 section 3.1)",
        Some(Part::SiblingGlue | Part::AuthoritativeAddress | Part::AddressSignatures) => {
            "all that is left out is optional (RFC 9471 section 3.2)"
        }
    }
}

/// How QNAME stands to a name at or above it.
struct Place<'a>(&'a Ask, &'a NameRef);

impl fmt::Display for Place<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(ask, above) = self;
        let name = ask.name.for_slice();
        if name.len() == above.len() {
            return f.write_str("QNAME is");
        }
        let labels = name.label_count() - above.label_count();
        let octets = name.len() - above.len();
        let label = if labels == 1 { "label" } else { "labels" };
        write!(f, "QNAME is {labels} {label} ({octets} octets) below")
    }
}

fn stop_text(why: StopReason) -> &'static str {
    match why {
        StopReason::ZoneApex => "the apex of a compiled zone, and below none of its cuts",
        StopReason::AlsoServed => "the apex of a zone that the server behind serves",
        StopReason::Dname => "the owner of a DNAME",
        StopReason::WildcardNs => "NS at a wildcard",
        StopReason::BrokenDelegation => "a delegation with a fault (see check)",
        StopReason::DelegOnly => "a name with DELEG but without NS",
    }
}

impl fmt::Display for Sent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.octets, self.of) {
            (_, 0) => f.write_str("none"),
            (octets, of) => write!(f, "{octets} of {of} octets"),
        }
    }
}

impl fmt::Display for Room {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "; limit: {} octets: the client takes {}{}, the server sends up to {}",
            self.limit(),
            self.client_octets,
            if self.opt_octets == 0 {
                " (no EDNS)"
            } else {
                ""
            },
            self.server_octets
        )?;
        write!(
            f,
            "; room for records: {} - {HEADER_OCTETS} header - {} question",
            self.limit(),
            self.question_octets
        )?;
        if self.opt_octets != 0 {
            write!(f, " - {} OPT", self.opt_octets)?;
        }
        writeln!(f, " = {} octets", self.for_records())?;
        writeln!(f, "; NS records: {}", self.ns)
    }
}
