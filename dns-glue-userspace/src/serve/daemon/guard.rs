//! When the program must not answer: zones that are withheld because of the
//! server behind, and the time until which answers are given without this
//! process. And what its referrals carry: signatures that expire are warned of,
//! but the server behind would send the same.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::time::Duration;

use dns_glue_common::deadlines::{Deadline, NEVER};

use super::{Config, Daemon, FallbackChoice, keeps_links};
use crate::kernel::{Deadlines, clock};
use crate::serve::behind::{BehindStatus, Judgement, ProbedZone, Timing, Watch};
use crate::serve::changes::ZoneRoll;
use crate::serve::compiled::CompiledZones;
use crate::serve::status::{LastWord, Signatures, unix_seconds};

/// How often the daemon leaves word that it is there, at the least.
const HEARTBEAT: Duration = Duration::from_secs(60);

/// Watches over what the program may answer.
pub(super) struct Guard {
    /// The server behind; the built-in one is not watched.
    behind: Option<Watch>,
    /// How long answers are given without this process; `None` where they end
    /// with it.
    max_unattended: Option<Duration>,
    /// Whether no zone is answered for before the server behind is.
    require_fallback: bool,
    /// Until when answers are given without this process, as the program was
    /// told last; seconds of Unix time, `None` for ever.
    told_until: Option<u64>,
    /// Zones of whose signatures was warned last, and how.
    warned: BTreeMap<String, SignatureWarning>,
}

impl Guard {
    /// Watches nothing yet.
    pub(super) fn new(config: &Config) -> Self {
        let watch = || Watch::new(config.behind, config.policy.port, Timing::default());
        Self {
            behind: (config.fallback == FallbackChoice::None).then(watch),
            require_fallback: config.behind.require_fallback,
            told_until: None,
            max_unattended: keeps_links(config).then_some(config.max_unattended),
            warned: BTreeMap::new(),
        }
    }

    /// How often to come back.
    pub(super) fn heartbeat(&self) -> Duration {
        let third = self.max_unattended.unwrap_or(Duration::MAX) / 3;
        HEARTBEAT.min(third)
    }

    /// Until when answers are given if this process is not heard of again,
    /// from now: nanoseconds of [`clock`].
    pub(super) fn attended_until(&mut self) -> u64 {
        let duration = self.max_unattended.filter(|one| *one < Duration::MAX);
        self.told_until = duration.map(|one| unix_seconds().saturating_add(one.as_secs()));
        duration.map_or(NEVER, |one| {
            let nanoseconds = u64::try_from(one.as_nanos()).unwrap_or(NEVER);
            clock::now().saturating_add(nanoseconds)
        })
    }

    /// What it was last, in seconds of Unix time; `None` for ever.
    pub(super) fn told_until(&self) -> Option<u64> {
        self.told_until
    }

    /// Waits until something else follows from what the server behind does, or
    /// is to be told of it. Cancel safe.
    pub(super) async fn judged(&mut self) -> Judgement {
        match &mut self.behind {
            Some(behind) => behind.changed().await,
            None => std::future::pending().await,
        }
    }

    /// From now on these are the service addresses.
    pub(super) fn set_addresses(&mut self, addresses: &BTreeSet<IpAddr>) {
        if let Some(behind) = &mut self.behind {
            behind.set_addresses(addresses);
        }
    }

    /// These zones are about to answer, the first of this process. `before` is
    /// the word of a daemon that was there before: what was withheld stays so
    /// until the server behind shows that it need not, and what has differed
    /// for a while has differed for that long.
    pub(super) fn begin(
        &mut self,
        zones: &CompiledZones,
        deadlines: &Deadlines,
        before: Option<&LastWord>,
    ) {
        if let Some(behind) = &mut self.behind {
            let told = before.and_then(|word| word.status.behind.as_ref());
            behind.set_zones(zones.rolls().map(probed).collect());
            if let (Some(word), Some(told)) = (before, told) {
                let age = unix_seconds().saturating_sub(word.at);
                behind.recall(told, Duration::from_secs(age));
            }
            let unproven = zones
                .rolls()
                .filter(|roll| self.require_fallback || was_withheld(roll, told));
            behind.prove_first(unproven.map(|roll| roll.apex.clone()).collect());
        }
        self.judge(zones, deadlines);
    }

    /// These zones are about to answer, or not, with these deadlines: if they do
    /// it is as it has to be from the first packet on, and if not nothing has
    /// changed for those that do.
    pub(super) fn foresee(&self, zones: &CompiledZones, deadlines: &Deadlines) {
        let behind = self.behind.as_ref();
        let judgement = behind.map(|behind| {
            let probed: Vec<ProbedZone> = zones.rolls().map(probed).collect();
            behind.foresee(&probed)
        });
        set_judged(&judgement.unwrap_or_default(), zones, deadlines);
    }

    /// From now on these zones answer, with these deadlines.
    pub(super) fn set_zones(&mut self, zones: &CompiledZones, deadlines: &Deadlines) {
        if let Some(behind) = &mut self.behind {
            behind.set_zones(zones.rolls().map(probed).collect());
        }
        self.warned.clear();
        self.judge(zones, deadlines);
    }

    /// Judges anew, and makes the deadlines what follows.
    fn judge(&mut self, zones: &CompiledZones, deadlines: &Deadlines) {
        let judgement = self.behind.as_mut().map(Watch::judge);
        set_judged(&judgement.unwrap_or_default(), zones, deadlines);
    }

    /// What `status` tells.
    pub(super) fn status(&self) -> Option<BehindStatus> {
        self.behind.as_ref().map(Watch::status)
    }

    /// Warns of signatures that expire, once when they soon will and once when
    /// they have; and of those that are not valid yet. Those that already had
    /// when the zone was read are told with its other faults too.
    fn warn_of_signatures(&mut self, zones: &CompiledZones, now: u64) {
        for zone in zones.statuses() {
            let Some((warning, text)) = warning(zone.signatures_at(now)) else {
                self.warned.remove(&zone.apex);
                continue;
            };
            if self.warned.insert(zone.apex.clone(), warning) != Some(warning) {
                log::warn!("zone {}: {text}", zone.apex);
            }
        }
    }
}

/// What is warned of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum SignatureWarning {
    NotYetValid,
    ExpireSoon,
    HaveExpired,
}

/// What is to be warned of, if anything, and how.
fn warning(signatures: Signatures) -> Option<(SignatureWarning, String)> {
    let refused = "validating resolvers refuse them, from the server behind too";
    match signatures {
        Signatures::None => None,
        _ if signatures.are_valid_for_long() => None,
        Signatures::Valid { seconds } => Some((
            SignatureWarning::ExpireSoon,
            format!(
                "the first signatures in referrals expire in {} hours",
                seconds / 3600
            ),
        )),
        Signatures::NotYetValid { seconds } => Some((
            SignatureWarning::NotYetValid,
            format!(
                "signatures in referrals become valid only in {} hours by the clock of this host: \
                 {refused}",
                seconds.div_ceil(3600)
            ),
        )),
        Signatures::Expired => Some((
            SignatureWarning::HaveExpired,
            format!("signatures in referrals have expired: {refused}"),
        )),
    }
}

/// Makes the deadlines what was judged.
fn set_judged(judgement: &Judgement, zones: &CompiledZones, deadlines: &Deadlines) {
    set_deadlines(zones, deadlines, |roll| {
        match judgement.withheld.contains_key(&roll.apex) {
            true => Deadline::Withheld,
            false => Deadline::Never,
        }
    });
}

/// Sets the deadline of every zone.
pub(super) fn set_deadlines(
    zones: &CompiledZones,
    deadlines: &Deadlines,
    of: impl Fn(&ZoneRoll) -> Deadline,
) {
    for (number, roll) in (0..=u8::MAX).zip(zones.rolls()) {
        deadlines.set(number, of(roll));
    }
}

/// Whether a zone was withheld when an earlier daemon was heard of last.
fn was_withheld(roll: &ZoneRoll, told: Option<&BehindStatus>) -> bool {
    let apex = roll.apex.fmt_with_dot().to_string();
    told.is_some_and(|told| {
        let mut zones = told.zones.iter();
        zones.any(|zone| zone.apex == apex && zone.withheld.is_some())
    })
}

/// What the server behind is asked of a zone.
fn probed(roll: &ZoneRoll) -> ProbedZone {
    ProbedZone {
        apex: roll.apex.clone(),
        serial: roll.serial,
        delegation: roll.first_delegation(),
    }
}

impl Daemon {
    /// Heeds what was judged of the server behind. The next daemon must know of
    /// it, however soon this one dies.
    pub(super) fn heed(&mut self, judgement: &Judgement) {
        let generation = &self.generation;
        set_judged(judgement, &generation.zones, &generation.loaded.deadlines);
        self.leave_word();
    }

    /// Pins links whose pins somebody has removed: without them the answers
    /// would end with this process. And maps: without them the next daemon
    /// would begin with others, and `status` would know nothing.
    pub(super) fn pin_again(&self) {
        if !self.keeps_links() {
            return;
        }
        let maps = self.shared.pin_again();
        let about = self
            .about
            .as_ref()
            .map(|about| about.pin_again(&self.folder));
        for error in [Some(maps), about]
            .into_iter()
            .flatten()
            .filter_map(Result::err)
        {
            log::error!("a map cannot be pinned again: {error}");
        }
        for interface in &self.served {
            let index = interface.index();
            let Some((name, link)) = interface.program_link() else {
                continue;
            };
            if self.folder.is_pinned(index) {
                continue;
            }
            match self.folder.pin(link, index) {
                Ok(()) => log::warn!("{name}: its pin was removed; pinned again"),
                Err(error) => log::error!(
                    "{name}: its pin was removed: answers end with this process ({error}); restart \
                     to pin everything again"
                ),
            }
        }
    }

    /// Tells the program, and whoever asks later, that this process is there.
    pub(super) fn beat(&mut self) {
        let until = self.guard.attended_until();
        if until != NEVER
            && let Err(error) = self.host_maps.set_attended_until(until)
        {
            log::warn!("answers may end at --max-unattended: {error}");
        }
        self.guard
            .warn_of_signatures(&self.generation.zones, unix_seconds());
        self.pin_again();
        self.leave_word();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::zone::inspect::EXPIRES_SOON;

    #[test]
    fn signatures_are_warned_of_unless_they_are_valid_for_long() {
        let soon = u64::from(EXPIRES_SOON);
        for (signatures, due) in [
            (Signatures::None, None),
            (Signatures::Valid { seconds: soon + 1 }, None),
            (Signatures::Valid { seconds: soon }, Some("in 48 hours")),
            (
                Signatures::NotYetValid { seconds: 3601 },
                Some("only in 2 hours by the clock of this host"),
            ),
            (Signatures::Expired, Some("have expired")),
        ] {
            let text = warning(signatures).map(|(_, text)| text);
            assert_eq!(text.is_some(), due.is_some(), "{text:?}");
            assert!(text.unwrap_or_default().contains(due.unwrap_or_default()));
        }
    }
}
