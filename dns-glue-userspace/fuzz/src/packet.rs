//! Any octets as a frame, through the program's way on the host.
//!
//! Either the frame passes, and must: it is no plain query below a delegation.
//! Or it is answered, and must be, by a reply that other people's decoders
//! take and that holds what the zone's text says.

use std::collections::{HashMap, HashSet};
use std::sync::LazyLock;

use dns_glue::compile::{self, Generation};
use dns_glue::host::{MemoryFrame, MemoryHost};
use dns_glue::zone::cuts::find_cuts;
use dns_glue::zone::master_file;
use dns_glue::zone::records::Zone;
use dns_glue_common::frame::Scratch;
use dns_glue_common::maps::{AddressKey, Interface};
use dns_glue_common::policy::Policy;
use dns_glue_common::reason::{Action, Reason};
use dns_glue_common::respond::respond;
use domain::base::Name;

use crate::choices::Octets;
use crate::classifier::{PlainQuery, Settings, plain_query};
use crate::program_support::frame::{Path, SERVER_MAC, SERVER_V4, SERVER_V6};
use crate::program_support::random::Draw as _;
use crate::reply::{self, Kind};
use crate::stream;
use crate::zone_oracle::{LowerName, Referral, ZoneRecords, fold, suffixes};

const INTERFACE: u32 = 3;

/// Zones that are compiled: apex and text.
static ZONES: LazyLock<Vec<(&str, String)>> = LazyLock::new(|| {
    let example = include_str!("../../testdata/example.zone");
    let signed = include_str!("../../testdata/fallback/signed.zone");
    let signed_example = include_str!("../../testdata/example-signed.zone");
    vec![
        ("glue.example.", example.to_owned()),
        ("signed.example.", signed.to_owned()),
        // The same apex as another gives way to one of other length and depth.
        (
            "all.kinds.of.delegations.",
            signed_example.replace("signed.example.", "all.kinds.of.delegations."),
        ),
        ("odd.", include_str!("../zones/odd.zone").to_owned()),
    ]
});

/// Zones that the server behind serves beside them.
const SERVED: [&str; 2] = ["child.signed.example.", "served.in-domain.glue.example."];

/// Everything that does not change from frame to frame.
struct World {
    generation: Generation,
    /// Names that queries are about.
    names: Vec<Vec<u8>>,
    zones: Vec<ZoneRecords>,
    served: Vec<LowerName>,
    /// The referrals, without and with DNSSEC records.
    referrals: HashMap<LowerName, [Referral; 2]>,
    addresses: HashSet<AddressKey>,
    /// What an earlier packet left behind.
    used: Box<Scratch>,
}

static WORLD: LazyLock<World> = LazyLock::new(|| {
    let parse = |name: &str| Name::<Vec<u8>>::vec_from_str(name).expect("a name");
    let compiled: Vec<Zone> = ZONES
        .iter()
        .map(|(apex, text)| {
            master_file::read_text(&parse(apex), std::path::Path::new(apex), text.as_bytes())
                .unwrap_or_else(|errors| panic!("{errors}"))
        })
        .collect();
    let served = SERVED.map(parse);
    let cuts = find_cuts(&compiled, &served);
    let compilation = compile::compile(&compiled, &cuts, &()).expect("the zones compile");
    assert!(compilation.delegations.iter().all(|one| !one.too_deep));
    let names = stream::names(&compiled);
    let zones: Vec<ZoneRecords> = ZONES
        .iter()
        .map(|(apex, text)| ZoneRecords::read(apex, text))
        .collect();
    let mut world = World {
        generation: compilation.generation,
        names,
        zones,
        served: served.iter().map(|name| fold(name.as_slice())).collect(),
        referrals: HashMap::new(),
        addresses: [
            AddressKey::from_ipv4(SERVER_V4.octets()),
            AddressKey::from_ipv6(SERVER_V6.octets()),
        ]
        .into(),
        used: Box::new(Scratch::EMPTY),
    };
    let names: Vec<LowerName> = world
        .zones
        .iter()
        .flat_map(|zone| zone.names().cloned())
        .collect();
    for name in names {
        if let Some((zone, cut)) = world.delegation(&name)
            && cut == name
        {
            let both = [false, true].map(|dnssec| zone.referral(cut, dnssec));
            world.referrals.insert(name, both);
        }
    }
    world
});

impl World {
    /// The zone and the delegation that a name, in lower case, falls under, if
    /// a referral is due for it.
    fn delegation<'n>(&self, name: &'n [u8]) -> Option<(&ZoneRecords, &'n [u8])> {
        let closest = suffixes(name).find_map(|suffix| {
            if self.served.iter().any(|apex| apex == suffix) {
                return Some(None);
            }
            let zone = self.zones.iter().find(|zone| zone.apex() == suffix)?;
            Some(Some(zone))
        })??;
        Some((closest, closest.delegation(name)?))
    }

    /// The referral that is due to a query.
    fn due(&self, query: &PlainQuery<'_>) -> Option<&Referral> {
        let name = fold(query.name);
        let (_, cut) = self.delegation(&name)?;
        if cut == name && matches!(query.qtype, 43 | 47 | 61_440) {
            return None;
        }
        let dnssec = query.opt.is_some_and(|(_, dnssec)| dnssec);
        let [plain, with_dnssec] = &self.referrals[cut];
        Some(if dnssec { with_dnssec } else { plain })
    }
}

/// What became of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It passes.
    Passed(Reason),
    /// It is answered.
    Answered(Reason),
}

/// One execution: panics when a law is broken.
pub fn run(octets: &[u8]) {
    judge(octets);
}

/// One execution, and what became of the frame.
pub fn judge(octets: &[u8]) -> Outcome {
    let world = &*WORLD;
    let mut choices = Octets(octets);
    let (settings, policy) = draw_settings(&mut choices);
    let [tail_room, head_room] = [0, 1].map(|_| match choices.below(8) {
        0 => choices.below(0x800),
        _ => 0x800,
    });
    let frame = draw_frame(&mut choices, &world.names);
    run_frame(world, &settings, policy, &frame, [tail_room, head_room])
}

fn run_frame(
    world: &World,
    settings: &Settings,
    policy: Policy,
    frame: &[u8],
    [tail_room, head_room]: [usize; 2],
) -> Outcome {
    let host = MemoryHost {
        index: INTERFACE,
        interface: Interface {
            mac: SERVER_MAC,
            mtu: settings.mtu,
        },
        addresses: world.addresses.clone(),
    };
    let mut answered = MemoryFrame {
        octets: frame.to_vec(),
        tail_room,
        head_room,
        interface: INTERFACE,
    };
    let mut scratch = world.used.clone();
    let reason = respond(&mut answered, &host, &world.generation, &policy, &mut scratch);

    let query = plain_query(frame, settings);
    let due = query.as_ref().and_then(|query| Some((query, world.due(query)?)));
    match (reason.action(), due) {
        (Action::Pass, None) => {}
        (Action::Pass, Some((query, _))) => {
            // Only for want of room; a reply is never longer than its limit.
            let most = query.message_start + query.limit;
            let room = frame.len() + tail_room.max(head_room);
            assert!(reason == Reason::NoRoom && room < most, "{reason:?}: {query:?}");
        }
        (Action::Transmit, Some((query, referral))) => {
            let kind = reply::judge(frame, query, settings, referral, &answered.octets);
            let expected = match kind {
                Kind::Whole => Reason::Referral,
                Kind::Partial => Reason::ReferralPartial,
                Kind::Truncated => Reason::ReferralTruncated,
            };
            assert_eq!(reason, expected);
            return Outcome::Answered(reason);
        }
        (Action::Transmit, None) => panic!("answered, but must pass: {query:?}"),
        (Action::Abort, _) => panic!("{reason:?}"),
    }
    assert_eq!(answered.octets, frame, "what passes is untouched");
    Outcome::Passed(reason)
}

fn draw_settings(choices: &mut Octets<'_>) -> (Settings, Policy) {
    let flags = choices.below(256) as u32;
    let max_udp = match choices.below(4) {
        0 => 512,
        1 => 1400,
        2 => 512 + choices.below(1400 - 512 + 1) as u16,
        _ => 1232,
    };
    let mtu = match choices.below(4) {
        0 => 540 + choices.below(100) as u16,
        1 => choices.below(1 << 16) as u16,
        _ => 1500,
    };
    let settings = Settings {
        max_udp,
        cookies_pass: flags & Policy::COOKIES_PASS != 0,
        ecs_pass: flags & Policy::ECS_PASS != 0,
        copy_cd: flags & Policy::COPY_CD != 0,
        holds_deleg: flags & Policy::HOLDS_DELEG != 0,
        mtu,
    };
    let known = Policy::COOKIES_PASS | Policy::ECS_PASS | Policy::COPY_CD | Policy::HOLDS_DELEG;
    let policy = Policy {
        port: 53,
        max_udp,
        flags: flags & known,
    };
    (settings, policy)
}

/// A frame: octets as they are, or as a message in a frame, or a query made by
/// the choices and then broken by some.
fn draw_frame(choices: &mut Octets<'_>, names: &[Vec<u8>]) -> Vec<u8> {
    match choices.below(8) {
        0 => choices.0.to_vec(),
        1 => {
            let path = if choices.once_in(2) {
                Path::v4()
            } else {
                Path::v6()
            };
            path.frame(choices.0)
        }
        _ => stream::frame(choices, names),
    }
}
