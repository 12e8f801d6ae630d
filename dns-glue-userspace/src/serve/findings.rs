//! What is found while zones are compiled: what delegations come to, and what
//! the operator should know of them.

use std::collections::BTreeMap;

use super::changes::Roll;
use crate::compile::{Loss, Report};
use crate::report::fault_groups::{self, FaultGroup};
use crate::report::holdings::ProofCounts;
use crate::report::listing::Listing;
use crate::zone::cuts::Delegation;
use crate::zone::faults::Fault;
use crate::zone::records::NameRef;

/// Names that a warning gives; `check --all` lists the others.
const NAMES_SHOWN: usize = 5;

/// What delegations come to.
#[derive(Default)]
pub struct Tally<'z> {
    /// How many there are.
    pub delegations: u64,
    /// How DS records or their absence are proved.
    pub proofs: ProofCounts,
    /// Those of a number of labels that the program does not look for.
    pub too_deep: Listing<&'z NameRef>,
    /// By [`Loss`].
    losses: BTreeMap<Loss, Listing<&'z NameRef>>,
    /// Octets of the longest referral body.
    largest_body: usize,
    /// Their names and what they say.
    pub roll: Roll,
}

impl<'z> Tally<'z> {
    /// Adds a delegation.
    pub fn add(&mut self, delegation: &Delegation<'z>, report: &Report<'z>) {
        self.delegations += 1;
        self.roll.add(delegation);
        self.proofs.add(delegation.proof);
        self.largest_body = self.largest_body.max(report.octets.largest());
        if report.too_deep {
            self.too_deep.push(report.cut, NAMES_SHOWN);
        }
        if let Some(loss) = report.loss {
            let names = self.losses.entry(loss).or_default();
            names.push(report.cut, NAMES_SHOWN);
        }
    }

    /// Adds that of delegations behind all of these.
    pub fn append(&mut self, later: Self) {
        self.delegations += later.delegations;
        self.proofs.append(&later.proofs);
        self.roll.append(&later.roll);
        self.largest_body = self.largest_body.max(later.largest_body);
        self.too_deep.append(later.too_deep, NAMES_SHOWN);
        for (loss, names) in later.losses {
            self.losses
                .entry(loss)
                .or_default()
                .append(names, NAMES_SHOWN);
        }
    }
}

/// What the operator should know of zones, without the zones: of one, or of
/// several together.
#[derive(Debug, Default)]
pub struct Findings {
    faults: Vec<FaultGroup>,
    too_deep: Listing<String>,
    losses: BTreeMap<Loss, Listing<String>>,
    /// Octets of the longest referral body.
    pub largest_body: usize,
}

impl Findings {
    /// Of a zone with these faults, whose delegations come to `tally`.
    pub fn new(faults: &[Fault<'_>], tally: &Tally<'_>) -> Self {
        let losses = tally.losses.iter();
        Self {
            faults: fault_groups::group(faults, NAMES_SHOWN),
            too_deep: names(&tally.too_deep),
            losses: losses.map(|(loss, cuts)| (*loss, names(cuts))).collect(),
            largest_body: tally.largest_body,
        }
    }

    /// Adds those of a later zone.
    pub fn append(&mut self, later: &Self) {
        fault_groups::append(&mut self.faults, &later.faults, NAMES_SHOWN);
        self.too_deep.append(later.too_deep.clone(), NAMES_SHOWN);
        for (loss, names) in &later.losses {
            let own = self.losses.entry(*loss).or_default();
            own.append(names.clone(), NAMES_SHOWN);
        }
        self.largest_body = self.largest_body.max(later.largest_body);
    }

    /// A line for each kind of fault, those that refuse delegations first, and
    /// for each other thing that delegations came to.
    pub fn warnings(&self) -> Vec<String> {
        let mut warnings: Vec<String> = self.faults.iter().map(fault_warning).collect();
        let too_deep = "names of a number of labels that is not looked for; queries for them pass";
        warnings.extend(delegations_warning(&self.too_deep, too_deep));
        for (loss, names) in &self.losses {
            let what = match loss {
                Loss::NameServers => "too many NS records; replies have TC=1",
                Loss::Proof => "too long a proof; replies with DO have TC=1",
                Loss::InDomainGlue => "too much in-domain glue; replies have TC=1",
                Loss::OptionalGlue => "too much sibling glue; replies lack some of it",
            };
            warnings.extend(delegations_warning(names, what));
        }
        warnings
    }
}

fn names(cuts: &Listing<&NameRef>) -> Listing<String> {
    let listed = cuts.listed.iter();
    Listing {
        total: cuts.total,
        listed: listed.map(|cut| cut.fmt_with_dot().to_string()).collect(),
    }
}

/// `wildcard-ns: *.a.: NS at a wildcard ...` or, of several,
/// `wildcard-ns: 2 (*.a. *.b.), first *.a.: NS at a wildcard ...`.
fn fault_warning(group: &FaultGroup) -> String {
    let FaultGroup { kind, faults, .. } = group;
    let first = &faults.listed[0].message;
    if faults.total == 1 {
        return format!("{kind}: {first}");
    }
    let names = faults.listed.iter().map(|fault| fault.name.as_str());
    let names = list(names, faults.more());
    format!("{kind}: {} ({names}), first {first}", faults.total)
}

/// What delegations, if any, came to.
fn delegations_warning(delegations: &Listing<String>, what: &str) -> Option<String> {
    let names = delegations.listed.iter().map(String::as_str);
    let names = list(names, delegations.more());
    (delegations.total != 0).then(|| format!("{} delegations ({names}): {what}", delegations.total))
}

/// `a. b. and 3 more`.
fn list<'n>(names: impl Iterator<Item = &'n str>, more: usize) -> String {
    let mut text = names.collect::<Vec<_>>().join(" ");
    if more != 0 {
        text.push_str(&format!(" and {more} more"));
    }
    text
}
