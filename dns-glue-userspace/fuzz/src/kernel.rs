//! Any octets as a frame, through the loaded program (`BPF_PROG_TEST_RUN`) and
//! through its way on the host: the same verdict and the same octets.
//!
//! The host's half is instrumented, so that what is new there guides the
//! fuzzer to what is new in the kernel; and it is judged like any packet.

use std::cell::LazyCell;

use dns_glue::compile::{self, Generation};
use dns_glue::zone::cuts::find_cuts;
use dns_glue_common::reason::Reason;

use crate::choices::Octets;
use crate::classifier::{Late, Settings};
use crate::packet::{FIXTURE, draw_frame, served};
use crate::program_support::program::{BUFFER_OCTETS, Memory, Program};
use crate::program_support::random::Draw as _;
pub use crate::program_support::root::is_root;
use crate::world::Arrival;

/// What operators choose between.
const SETTINGS: [Settings; 2] = [
    Settings::DEFAULT,
    Settings {
        max_udp: 1400,
        cookies_pass: true,
        ecs_pass: true,
        copy_cd: true,
        holds_deleg: true,
        mtu: 700,
        nsid: b"dns-glue",
        late: Late::TwoZones,
    },
];

thread_local! {
    /// The program, loaded with each of them.
    static PROGRAMS: LazyCell<[Program; 2]> = LazyCell::new(|| SETTINGS.map(|settings| {
        let mut memory = Memory::new(generation(), settings.policy());
        memory.set_mtu(settings.mtu);
        for (zone, deadline) in settings.late.deadlines().zones {
            memory.set_deadline(zone, deadline);
        }
        memory.set_attended_until(settings.late.attended_until());
        Program::load(memory)
    }));
}

fn generation() -> Generation {
    let served = served();
    let cuts = find_cuts(&FIXTURE.zones, &served);
    let compilation = compile::compile(&FIXTURE.zones, &cuts, &());
    compilation.expect("the zones compile").generation
}

/// One execution: panics when a law is broken; returns what became of the
/// frame. Needs the right to load programs.
pub fn run(octets: &[u8]) -> Reason {
    let mut choices = Octets(octets);
    let which = choices.below(SETTINGS.len());
    let mut frame = draw_frame(&mut choices, &FIXTURE.names);
    // The kernel takes no frame without an Ethernet header, nor a longer one
    // in a single buffer.
    frame.resize(frame.len().clamp(14, 3000), 0);
    let arrival = Arrival {
        frame: &frame,
        tail_room: BUFFER_OCTETS - frame.len(),
        head_room: 0,
    };
    let mut scratch = FIXTURE.used.clone();
    let (reason, expected) = FIXTURE
        .world
        .judge(&SETTINGS[which], &mut scratch, &arrival);
    let (action, octets) = PROGRAMS.with(|programs| programs[which].run(&frame));
    assert_eq!(action, reason.action(), "{reason:?}: {frame:02x?}");
    assert_eq!(octets, expected, "{reason:?}: {frame:02x?}");
    reason
}
