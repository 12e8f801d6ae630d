//! The program on a veth pair, and queries of the table that cross it.
//!
//! ```text
//! packet socket ---------> dgclient ===veth=== dgserver -> XDP program
//!               <- pass_all <-                          <- referral
//! ```
//!
//! The frames are filled up behind the datagram: the kernel gives a short one
//! that comes over veth no room for the reply, as a network card's page has.

mod packet_socket;

use std::collections::BTreeSet;
use std::thread;
use std::time::{Duration, Instant};
use std::{fs, io};

use anyhow::{Context as _, Result, ensure};
use aya::programs::{Xdp, XdpMode};
use aya::{Ebpf, EbpfLoader};
use dns_glue::kernel::attach::{self, ModeChoice};
use dns_glue::kernel::{
    AttachMode, Counters, HostMaps, LoadOptions, Loaded, ServedInterface, Target, load,
};
use dns_glue_common::maps::Interface;
use rtnetlink::{LinkUnspec, LinkVeth};

use super::cases::{self, Case, Setup};
use super::check::check;
use super::machine::{insert_module, tell};
use super::program_support::frame::{
    CLIENT_MAC, ETHERNET, SERVER_MAC, SERVER_V4, SERVER_V6, VIRTUAL_MAC,
};
use super::program_support::program::one_outcome;
use super::score::Score;
use packet_socket::PacketSocket;

/// Where xtask puts the driver, which Debian has as a module.
const MODULE: &str = "/veth.ko";
/// The object that the build script made for the lab.
static LAB: &[u8] = aya::include_bytes_aligned!(concat!(env!("OUT_DIR"), "/dns-glue-lab"));
const SERVER_END: &str = "dgserver";
const CLIENT_END: &str = "dgclient";
const MTU: u16 = 1500;
/// Octets of a frame that the interfaces carry.
const LONGEST_FRAME: usize = ETHERNET + MTU as usize;
/// How long a reply or an interface may take where qemu interprets.
const PATIENCE: Duration = Duration::from_secs(10);

/// Asks every case that is answered, in native mode and in generic mode.
///
/// # Errors
///
/// There can be no such pair, or the program is refused; what goes wrong with
/// an attachment or a case is only told.
pub fn run() -> Result<()> {
    insert_module(MODULE)?;
    let server = lay()?;
    let _passing = pass_all().context("make the client's end take what XDP sends")?;
    let mut client = PacketSocket::open(index(CLIENT_END)?, PATIENCE)?;
    let (mut loaded, _maps, counters) = load_for(server)?;
    let cases = answered();
    for mode in [AttachMode::Native, AttachMode::Generic] {
        let score = ask(&mut loaded, server, mode, &mut client, &counters, &cases);
        tell(&format!("veth-{mode}"), score);
    }
    Ok(())
}

/// Those of the table that are answered under the default choices and can be
/// sent here. A VLAN tag would be taken out of the frame on its way to the
/// packet socket.
fn answered() -> Vec<Case> {
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
    server: u32,
    mode: AttachMode,
    client: &mut PacketSocket,
    counters: &Counters,
    cases: &[Case],
) -> Score {
    let mut score = Score::of(cases.len());
    let target = Target {
        name: SERVER_END.to_owned(),
        index: server,
        mtu: MTU.into(),
        occupied_by: None,
    };
    let attachment = match attach::attach(loaded, &target, ModeChoice::Only(mode)) {
        Ok(attachment) => attachment,
        Err(error) => {
            println!("{error}");
            return score;
        }
    };
    for case in cases {
        let before = counters.read().expect("counters can be read");
        let reply = match cross(client, case) {
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
    let mut frame = case.frame.clone();
    frame.resize(LONGEST_FRAME, 0xee);
    client.send(&frame).context("send a frame")?;
    client
        .receive(CLIENT_MAC)
        .context("no frame for the client")
}

/// Loads the program for the server's end; it is attached nowhere yet.
fn load_for(server: u32) -> Result<(Loaded, HostMaps, Counters)> {
    let memory = Setup::Plain.memory();
    let options = LoadOptions {
        policy: *memory.policy(),
        log_level: log::LevelFilter::Off,
        verifier_log: None,
    };
    let (loaded, mut maps, counters) = load::load(memory.generation(), &options)?;
    let served = ServedInterface {
        virtual_macs: BTreeSet::from([VIRTUAL_MAC]),
        ..ServedInterface::from(Interface {
            mac: SERVER_MAC,
            mtu: MTU,
        })
    };
    let addresses = [SERVER_V4.into(), SERVER_V6.into()].into();
    let table = maps.write_all([(server, served)].into(), &addresses)?;
    maps.show(table)?;
    Ok((loaded, maps, counters))
}

/// Makes the pair and waits until it carries frames; the number of the
/// server's end.
fn lay() -> Result<u32> {
    // Its ends would speak for themselves, and that would be counted.
    fs::write("/proc/sys/net/ipv6/conf/default/disable_ipv6", "1").context("keep IPv6 silent")?;
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?
        .block_on(make_pair())
        .context("make a veth pair")?;
    let deadline = Instant::now() + PATIENCE;
    for end in [SERVER_END, CLIENT_END] {
        let state = format!("/sys/class/net/{end}/operstate");
        // Frames are thrown away before.
        while fs::read_to_string(&state).with_context(|| state.clone())? != "up\n" {
            ensure!(Instant::now() < deadline, "{end} does not come up");
            thread::sleep(Duration::from_millis(10));
        }
    }
    Ok(index(SERVER_END)?)
}

/// Attaches a program that passes everything to the client's end: before it
/// has one, and whatever its GRO is, Linux 6.1 delivers nothing to it that XDP
/// sends.
fn pass_all() -> Result<Ebpf> {
    let mut ebpf = EbpfLoader::new().load(LAB)?;
    let program = ebpf.program_mut("pass_all").context("there is none")?;
    let program: &mut Xdp = program.try_into()?;
    program.load()?;
    program.attach(CLIENT_END, XdpMode::Driver)?;
    Ok(ebpf)
}

async fn make_pair() -> Result<()> {
    let (connection, handle, _) = rtnetlink::new_connection()?;
    tokio::spawn(connection);
    let pair = LinkVeth::new(SERVER_END, CLIENT_END).build();
    handle.link().add(pair).execute().await?;
    for (end, mac) in [(SERVER_END, SERVER_MAC), (CLIENT_END, CLIENT_MAC)] {
        let change = LinkUnspec::new_with_name(end).address(mac.to_vec()).up();
        handle.link().set(change.build()).execute().await?;
    }
    Ok(())
}

fn index(interface: &str) -> io::Result<u32> {
    let number = fs::read_to_string(format!("/sys/class/net/{interface}/ifindex"))?;
    number.trim_end().parse().map_err(io::Error::other)
}
