//! Zones compiled, the same zones read by someone else, and the judgement of
//! what becomes of a frame.

use std::cell::RefCell;
use std::collections::HashMap;
use std::ptr;

use dns_glue::compile::Generation;
use dns_glue::host::routes::Routes;
use dns_glue::host::{MemoryFrame, MemoryKept};
use dns_glue_common::frame::Scratch;
use dns_glue_common::host::Host;
use dns_glue_common::maps::{AddressKey, Interface, Vlan};
use dns_glue_common::policy::Policy;
use dns_glue_common::reason::{Action, Reason};
use dns_glue_common::respond::respond;

use crate::classifier::{PlainQuery, Settings, plain_query};
use crate::program_support::frame::{SERVER_MAC, SERVER_V4, SERVER_V6};
use crate::reply::{self, Kind};
use crate::zone_oracle::{LowerName, Referral, ZoneRecords, suffixes};

thread_local! {
    /// Bodies that earlier frames left behind, and for which world and choices:
    /// a program keeps its own.
    static KEPT: RefCell<(usize, Policy, MemoryKept)> =
        RefCell::new((0, Policy::DEFAULT, MemoryKept::default()));
}

/// The interface that every frame comes in on.
const INTERFACE: u32 = 3;

/// Everything that does not change from frame to frame.
pub(crate) struct World {
    generation: Generation,
    zones: Vec<ZoneRecords>,
    /// Apexes of zones that are not compiled.
    served: Vec<LowerName>,
    /// The referral to each delegation, without and with DNSSEC records.
    referrals: HashMap<LowerName, [Referral; 2]>,
}

/// A frame and how it comes.
pub(crate) struct Arrival<'f> {
    pub(crate) frame: &'f [u8],
    /// Octets by which its end can move.
    pub(crate) tail_room: usize,
    /// Octets by which its start can move.
    pub(crate) head_room: usize,
}

/// What is due to a query.
struct Due<'w> {
    /// The number of the zone that delegates.
    zone: usize,
    referral: &'w Referral,
}

/// The host that the frames come to.
struct Server {
    interface: Interface,
    attended_until: u64,
}

impl Host for Server {
    fn interface(&self, index: u32) -> Option<&Interface> {
        (index == INTERFACE).then_some(&self.interface)
    }

    fn is_service_address(&self, address: &AddressKey) -> bool {
        *address == AddressKey::from_ipv4(SERVER_V4.octets())
            || *address == AddressKey::from_ipv6(SERVER_V6.octets())
    }

    fn attended_until(&self) -> u64 {
        self.attended_until
    }

    fn has_virtual_mac(&self, _: u32, _: u64) -> bool {
        false
    }

    fn vlan(&self, _: u32) -> Option<&Vlan> {
        None
    }
}

impl World {
    /// `generation` is compiled from the same texts as `zones`.
    pub(crate) fn new(
        generation: Generation,
        zones: Vec<ZoneRecords>,
        served: Vec<LowerName>,
    ) -> Self {
        let mut world = Self {
            generation,
            zones,
            served,
            referrals: HashMap::new(),
        };
        let mut referrals = HashMap::new();
        for name in world.zones.iter().flat_map(ZoneRecords::names) {
            if let Some((zone, cut)) = world.delegation(name)
                && cut == name
            {
                let zone = &world.zones[zone];
                let both = [false, true].map(|dnssec| zone.referral(cut, dnssec));
                referrals.insert(name.clone(), both);
            }
        }
        world.referrals = referrals;
        world
    }

    /// The names of the delegations.
    pub(crate) fn cuts(&self) -> impl Iterator<Item = &LowerName> {
        self.referrals.keys()
    }

    /// The zone, by its number, and the delegation that a name, in lower case,
    /// falls under, if a referral is due for it.
    fn delegation<'n>(&self, name: &'n [u8]) -> Option<(usize, &'n [u8])> {
        let closest = suffixes(name).find_map(|suffix| {
            if self.served.iter().any(|apex| apex == suffix) {
                return Some(None);
            }
            let zone = self.zones.iter().position(|zone| zone.apex() == suffix)?;
            Some(Some(zone))
        })??;
        Some((closest, self.zones[closest].delegation(name)?))
    }

    /// The referral that is due to a query.
    fn due(&self, query: &PlainQuery<'_>) -> Option<Due<'_>> {
        let name = query.name.to_ascii_lowercase();
        let (zone, cut) = self.delegation(&name)?;
        if cut == name && matches!(query.qtype, 43 | 47 | 61_440) {
            return None;
        }
        let dnssec = query.opt.is_some_and(|opt| opt.dnssec);
        let [plain, with_dnssec] = &self.referrals[cut];
        let referral = if dnssec { with_dnssec } else { plain };
        Some(Due { zone, referral })
    }

    /// Runs the program's way and judges what becomes of a frame: panics when
    /// it is not what must become of it. Returns the outcome and the frame
    /// afterwards.
    pub(crate) fn judge(
        &self,
        settings: &Settings,
        scratch: &mut Scratch,
        arrival: &Arrival<'_>,
    ) -> (Reason, Vec<u8>) {
        let frame = arrival.frame;
        let mut answered = MemoryFrame {
            octets: frame.to_vec(),
            tail_room: arrival.tail_room,
            head_room: arrival.head_room,
            interface: INTERFACE,
            routes: Routes::default(),
        };
        let server = Server {
            interface: Interface {
                mac: SERVER_MAC,
                mtu: settings.mtu,
            },
            attended_until: settings.late.attended_until(),
        };
        let policy = Policy {
            flags: settings.policy().flags | self.generation.policy_flags,
            ..settings.policy()
        };
        let reason = KEPT.with_borrow_mut(|kept| {
            let world = ptr::from_ref(self).addr();
            if kept.0 != world || kept.1 != policy {
                *kept = (world, policy, MemoryKept::default());
            }
            let kept = &mut kept.2;
            respond(
                &mut answered,
                &server,
                &self.generation,
                &settings.late.deadlines(),
                kept,
                &policy,
                scratch,
            )
        });

        let query = plain_query(frame, settings);
        let due = query
            .as_ref()
            .and_then(|query| Some((query, self.due(query)?)));
        match (reason.action(), due) {
            (Action::Pass, None) => {}
            (_, Some((query, due))) if settings.late.reason(due.zone).is_some() => {
                let late = settings.late.reason(due.zone);
                assert_eq!(Some(reason), late, "{query:?}");
            }
            (Action::Pass, Some((query, _))) => {
                // Only for want of room; a reply is never longer than its limit.
                let most = query.message_start + query.limit;
                let room = frame.len() + arrival.tail_room.max(arrival.head_room);
                let is_due = reason == Reason::NoRoom && room < most;
                assert!(is_due, "{reason:?}, but must be answered: {query:?}");
            }
            (Action::Transmit, Some((query, due))) => {
                let kind = reply::judge(frame, query, settings, due.referral, &answered.octets);
                let expected = match kind {
                    Kind::Whole => Reason::Referral,
                    Kind::Partial => Reason::ReferralPartial,
                    Kind::Truncated => Reason::ReferralTruncated,
                };
                assert_eq!(reason, expected);
                return (reason, answered.octets);
            }
            (Action::Transmit, None) => panic!("{reason:?}, but must pass: {query:?}"),
            (Action::Abort, _) => panic!("{reason:?}"),
        }
        assert_eq!(answered.octets, frame, "what passes is untouched");
        (reason, answered.octets)
    }
}
