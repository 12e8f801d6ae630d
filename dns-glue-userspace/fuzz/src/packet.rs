//! Any octets as a frame, through the program's way on the host.
//!
//! Either the frame passes, and must: it is no plain query below a delegation.
//! Or it is answered, and must be, by a reply that other people's decoders
//! take and that holds what the zone's text says.

use std::path::Path as FilePath;
use std::sync::LazyLock;

use dns_glue::compile;
use dns_glue::zone::cuts::find_cuts;
use dns_glue::zone::master_file;
use dns_glue::zone::records::Zone;
use dns_glue_common::frame::Scratch;
use dns_glue_common::reason::Reason;
use domain::base::Name;

use crate::choices::Octets;
use crate::classifier::{Late, Settings};
use crate::program_support::frame::Path;
use crate::program_support::query::Query;
use crate::program_support::random::Draw as _;
use crate::stream;
use crate::world::{Arrival, World};
use crate::zone_oracle::ZoneRecords;

/// Zones that are compiled: apex and text.
pub(crate) static ZONES: LazyLock<Vec<(&str, String)>> = LazyLock::new(|| {
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
        (
            "hashed.example.",
            include_str!("../../testdata/nsec3/hashed.zone").to_owned(),
        ),
        (
            "opt-out.example.",
            include_str!("../../testdata/nsec3/opt-out.zone").to_owned(),
        ),
        (
            "odd.example.",
            // The other reader does not take an at sign in data for the origin.
            include_str!("../../testdata/oddities.zone").replace(" @", " odd.example."),
        ),
        ("odd.", include_str!("../zones/odd.zone").to_owned()),
    ]
});

/// Zones that the server behind serves beside them.
const SERVED: [&str; 2] = ["child.signed.example.", "served.in-domain.glue.example."];

/// Octets of room around most frames.
const PLENTY: usize = 2048;

/// What is made once.
pub(crate) struct Fixture {
    /// Zones for the program.
    pub(crate) zones: Vec<Zone>,
    /// Names that queries are about.
    pub(crate) names: Vec<Vec<u8>>,
    pub(crate) world: World,
    /// What an earlier packet left behind.
    pub(crate) used: Box<Scratch>,
}

/// Parses names of this module.
fn parse(name: &str) -> Name<Vec<u8>> {
    Name::vec_from_str(name).expect("a name")
}

/// The names of the zones that are not compiled.
pub(crate) fn served() -> [Name<Vec<u8>>; 2] {
    SERVED.map(parse)
}

pub(crate) static FIXTURE: LazyLock<Fixture> = LazyLock::new(|| {
    let read = |(apex, text): &(&str, String)| {
        master_file::read_text(&parse(apex), FilePath::new(apex), text.as_bytes())
            .unwrap_or_else(|errors| panic!("{errors}"))
    };
    let zones: Vec<Zone> = ZONES.iter().map(read).collect();
    let served = served();
    let cuts = find_cuts(&zones, &served);
    let compilation = compile::compile(&zones, &cuts, &()).expect("the zones compile");
    assert!(compilation.delegations.iter().all(|one| !one.too_deep));
    let oracle = |(apex, text): &(&str, String)| {
        ZoneRecords::read(apex, text.as_bytes()).expect("zones that others read too")
    };
    let world = World::new(
        compilation.generation,
        ZONES.iter().map(oracle).collect(),
        served
            .iter()
            .map(|name| name.as_slice().to_ascii_lowercase())
            .collect(),
    );
    let mut used = Box::new(Scratch::EMPTY);
    let longest = Query::new("www.huge.glue.example.").edns(1400, 0x8000);
    let arrival = Arrival {
        frame: &Path::v6()
            .tagged(&[(0x88a8, 1), (0x8100, 2)])
            .frame(&longest.octets()),
        tail_room: PLENTY,
        head_room: 0,
    };
    world.judge(&Settings::DEFAULT, &mut used, &arrival);
    Fixture {
        names: stream::names(&zones),
        zones,
        world,
        used,
    }
});

/// One execution: panics when a law is broken; returns what became of the
/// frame.
pub fn run(octets: &[u8]) -> Reason {
    let fixture = &*FIXTURE;
    let mut choices = Octets(octets);
    let settings = draw_settings(&mut choices);
    let [tail_room, head_room] = [0, 1].map(|_| match choices.below(8) {
        7 => choices.below(PLENTY),
        _ => PLENTY,
    });
    let arrival = Arrival {
        frame: &draw_frame(&mut choices, &fixture.names),
        tail_room,
        head_room,
    };
    let mut scratch = fixture.used.clone();
    let (reason, _) = fixture.world.judge(&settings, &mut scratch, &arrival);
    reason
}

fn draw_settings(choices: &mut Octets<'_>) -> Settings {
    let bits = choices.below(256);
    let max_udp = match choices.below(4) {
        0 => 1232,
        1 => 1400,
        2 => 512 + choices.below(1400 - 512 + 1) as u16,
        _ => 512,
    };
    let mtu = match choices.below(4) {
        2 => 540 + choices.below(100) as u16,
        3 => choices.below(1 << 16) as u16,
        _ => 1500,
    };
    Settings {
        max_udp,
        cookies_pass: bits & 1 != 0,
        ecs_pass: bits & 2 != 0,
        copy_cd: bits & 4 != 0,
        holds_deleg: bits & 8 != 0,
        mtu,
        nsid: [b"".as_slice(), b"ns7", &[0xee; 64], b""][bits >> 4 & 3],
        late: match bits >> 6 {
            3 if bits & 15 == 0 => Late::Everything,
            3 => Late::TwoZones,
            _ => Late::Nothing,
        },
    }
}

/// A frame: octets as they are, or as a message in a frame, or a query made by
/// the choices and then broken by some.
pub(crate) fn draw_frame(choices: &mut Octets<'_>, names: &[Vec<u8>]) -> Vec<u8> {
    match choices.below(8) {
        6 => {
            let path = if choices.once_in(2) {
                Path::v4()
            } else {
                Path::v6()
            };
            path.frame(choices.0)
        }
        7 => choices.0.to_vec(),
        _ => stream::frame(choices, names),
    }
}
