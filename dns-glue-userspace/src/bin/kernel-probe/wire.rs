//! The program on a veth pair, and queries of the table that cross it.
//!
//! The frames are filled up behind the datagram: the kernel gives a short one
//! that comes over veth no room for the reply, as a network card's page has.

use std::collections::BTreeSet;

use anyhow::{Context as _, Result};
use dns_glue::kernel::attach::{self, ModeChoice};
use dns_glue::kernel::{
    AttachMode, Counters, HostMaps, LoadOptions, Loaded, ServedInterface, load,
};
use dns_glue_common::maps::Interface;
use dns_glue_common::policy::Policy;

use super::cases::{self, Case, Setup};
use super::check::check;
use super::machine::tell;
use super::packet_socket::PacketSocket;
use super::pair::{LONGEST_FRAME, MTU, Pair};
use super::program_support::frame::{SERVER_MAC, SERVER_V4, SERVER_V6, VIRTUAL_MAC};
use super::program_support::program::one_outcome;
use super::score::Score;

/// Asks every case that is answered, in native mode and in generic mode.
///
/// # Errors
///
/// The program is refused; what goes wrong with an attachment or a case is
/// only told.
pub fn run(pair: &mut Pair) -> Result<()> {
    let (mut loaded, mut maps, counters) = load_plain(|policy| policy)?;
    let served = ServedInterface {
        virtual_macs: BTreeSet::from([VIRTUAL_MAC]),
        ..ServedInterface::from(Interface {
            mac: SERVER_MAC,
            mtu: MTU,
        })
    };
    let addresses = [SERVER_V4.into(), SERVER_V6.into()].into();
    let table = maps.write_all([(pair.server, served)].into(), &addresses)?;
    maps.show(table)?;
    let cases = answered();
    for mode in [AttachMode::Native, AttachMode::Generic] {
        let score = ask(&mut loaded, pair, mode, &counters, &cases);
        tell(&format!("veth-{mode}"), score);
    }
    Ok(())
}

/// Loads the program with the zones of the table, under what `change` makes of
/// the default choices; it is attached nowhere yet, and knows no interface.
///
/// # Errors
///
/// The kernel refuses it.
pub fn load_plain(
    change: impl FnOnce(Policy) -> Policy,
) -> Result<(Loaded, HostMaps, Counters), dns_glue::kernel::LoadError> {
    let memory = Setup::Plain.memory();
    let options = LoadOptions {
        policy: change(*memory.policy()),
        log_level: log::LevelFilter::Off,
        verifier_log: None,
    };
    load::load(memory.generation(), &options)
}

/// Those of the table that are answered under the default choices and can be
/// sent here; tags are the matter of `vlan`.
pub fn answered() -> Vec<Case> {
    let mut cases = cases::all();
    cases.retain(|case| {
        let is_answered = case.setup == Setup::Plain && case.answer.is_some();
        is_answered && case.path.tags.is_empty() && case.frame.len() <= LONGEST_FRAME
    });
    cases
}

/// Asks the cases while the program is attached in a mode, until one is not
/// answered at all: then the others would not be either.
fn ask(
    loaded: &mut Loaded,
    pair: &mut Pair,
    mode: AttachMode,
    counters: &Counters,
    cases: &[Case],
) -> Score {
    let mut score = Score::of(cases.len());
    let attachment = match attach::attach(loaded, &pair.target(), ModeChoice::Only(mode)) {
        Ok(attachment) => attachment,
        Err(error) => {
            println!("{error}");
            return score;
        }
    };
    for case in cases {
        let before = counters.read().expect("counters can be read");
        let reply = match cross(&mut pair.client, case) {
            Ok(reply) => reply,
            Err(error) => {
                let counted = counters.read().expect("counters can be read");
                let counted = counted.iter().zip(before).filter(|(a, b)| a.1 != b.1);
                let counted: Vec<_> = counted.map(|((reason, _), _)| reason).collect();
                println!("{mode}, {case}: {error:#}; counted: {counted:?}");
                break;
            }
        };
        score.attempt(format_args!("{mode}, {case}"), || {
            let after = counters.read().expect("counters can be read");
            check(case, one_outcome(&before, &after), &reply);
        });
    }
    drop(attachment); // Detaches.
    score
}

/// Sends the frame of a case, filled up, and waits for the reply.
fn cross(client: &mut PacketSocket, case: &Case) -> Result<Vec<u8>> {
    client
        .send(&filled_up(&case.frame))
        .context("send a frame")?;
    client.receive().context("no frame for the client")
}

/// A frame with as many octets behind the datagram as the interfaces carry.
pub fn filled_up(frame: &[u8]) -> Vec<u8> {
    let mut frame = frame.to_vec();
    frame.resize(LONGEST_FRAME, 0xee);
    frame
}
