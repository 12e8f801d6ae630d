//! The program in the kernel, run by `BPF_PROG_TEST_RUN`, and the same
//! decisions on the host.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::IpAddr;

use dns_glue::compile::Generation;
use dns_glue::host::routes::{Route, Routes};
use dns_glue::host::{MemoryDeadlines, MemoryFrame, MemoryHost, MemoryKept};
use dns_glue::kernel::attach::{self, ModeChoice};
use dns_glue::kernel::load::{self, ProgramFacts};
use dns_glue::kernel::test_run::LOOPBACK;
use dns_glue::kernel::{
    Attachment, Counters, HostMaps, LoadError, LoadOptions, Loaded, ServedInterface, Target, clock,
};
use dns_glue_common::deadlines::{Deadline, NEVER};
use dns_glue_common::frame::Scratch;
use dns_glue_common::frame::vlan::Vlans;
use dns_glue_common::maps::{AddressKey, Interface, Vlan};
use dns_glue_common::policy::Policy;
use dns_glue_common::reason::{Action, Reason};
use dns_glue_common::respond::respond;

use super::frame::{SERVER_MAC, SERVER_V4, SERVER_V6, VIRTUAL_MAC};

/// Octets that the kernel gives a test run in one buffer: a page without room
/// in front and the bookkeeping behind.
pub const BUFFER_OCTETS: usize = 4096 - 256 - 320;

/// What the operator has chosen, as `dns-glue run` has it without options.
pub const POLICY: Policy = Policy::DEFAULT;

/// The program's decisions on the host: a generation, and a host with one
/// interface and two service addresses.
pub struct Memory {
    host: MemoryHost,
    /// The index of the interface that frames come in on.
    ingress: u32,
    routes: Routes,
    policy: Policy,
    generation: Generation,
    deadlines: MemoryDeadlines,
}

impl Memory {
    /// On an interface with an MTU of 1500 octets.
    pub fn new(generation: Generation, policy: Policy) -> Self {
        let addresses = service_addresses().into_iter().map(AddressKey::from);
        Self {
            host: MemoryHost {
                index: LOOPBACK,
                interface: Interface {
                    mac: SERVER_MAC,
                    mtu: 1500,
                },
                addresses: addresses.collect(),
                attended_until: NEVER,
                virtual_macs: vec![VIRTUAL_MAC],
                vlans: HashMap::new(),
            },
            ingress: LOOPBACK,
            routes: Routes::default(),
            policy: Policy {
                flags: policy.flags | generation.policy_flags,
                ..policy
            },
            generation,
            deadlines: MemoryDeadlines {
                now: clock::now(),
                ..MemoryDeadlines::default()
            },
        }
    }

    /// Gives a zone a deadline.
    pub fn set_deadline(&mut self, zone: u8, deadline: Deadline) {
        self.deadlines.zones.insert(zone, deadline);
    }

    /// Sets from when on the host counts as unattended.
    pub fn set_attended_until(&mut self, time: u64) {
        self.host.attended_until = time;
    }

    /// The time on the host, which stands still.
    pub fn now(&self) -> u64 {
        self.deadlines.now
    }

    /// Sets the time on the host.
    pub fn set_now(&mut self, time: u64) {
        self.deadlines.now = time;
    }

    /// Gives the interface another MTU.
    pub fn set_mtu(&mut self, mtu: u16) {
        self.host.interface.mtu = mtu;
    }

    /// Makes it the interface of that index.
    pub fn set_interface(&mut self, index: u32) {
        self.host.index = index;
        self.ingress = index;
    }

    /// Puts a VLAN interface of that index on top of it.
    pub fn add_vlan(&mut self, index: u32, vlans: Vlans) {
        let carrier = self.host.index;
        self.host.vlans.insert(index, Vlan { carrier, vlans });
    }

    /// Tells the routing table on the host of an address.
    pub fn add_route(&mut self, destination: IpAddr, route: Route) {
        self.routes.add(AddressKey::from(destination), route);
    }

    /// Makes the interface one that the program was not attached to.
    pub fn forget_interface(&mut self) {
        self.host.index = u32::MAX;
    }

    /// The outcome of a frame, and the frame afterwards; there is room as in a
    /// test run of the kernel.
    pub fn run(&self, frame: &[u8]) -> (Reason, Vec<u8>) {
        self.run_in(frame, BUFFER_OCTETS - frame.len(), 0)
    }

    /// The same with so many octets of room behind and in front of the frame.
    pub fn run_in(&self, frame: &[u8], tail_room: usize, head_room: usize) -> (Reason, Vec<u8>) {
        let mut frame = MemoryFrame {
            octets: frame.to_vec(),
            tail_room,
            head_room,
            interface: self.ingress,
            routes: self.routes.clone(),
        };
        let mut scratch = Box::new(Scratch::EMPTY);
        let reason = respond(
            &mut frame,
            &self.host,
            &self.generation,
            &self.deadlines,
            &mut MemoryKept::default(),
            &self.policy,
            &mut scratch,
        );
        (reason, frame.octets)
    }

    /// What the decisions are made on.
    pub fn generation(&self) -> &Generation {
        &self.generation
    }

    /// The operator's choices and what follows from the zones.
    pub fn policy(&self) -> &Policy {
        &self.policy
    }
}

fn service_addresses() -> BTreeSet<IpAddr> {
    [SERVER_V4.into(), SERVER_V6.into()].into()
}

/// The program in the kernel, loaded with what the decisions on the host are
/// made on.
pub struct Program {
    /// The same on the host.
    pub memory: Memory,
    loaded: Loaded,
    maps: HostMaps,
    counters: Counters,
    attachment: Option<Attachment>,
}

impl Program {
    /// Loads the program.
    pub fn load(memory: Memory) -> Self {
        Self::try_load(memory).unwrap_or_else(|error| panic!("{error}"))
    }

    /// Loads the program, unless the kernel refuses it.
    pub fn try_load(memory: Memory) -> Result<Self, LoadError> {
        let options = LoadOptions {
            policy: memory.policy,
            log_level: log::LevelFilter::Off,
            verifier_log: None,
        };
        let (loaded, mut maps, counters) = load::load(&memory.generation, &options)?;
        let mut interfaces = BTreeMap::new();
        if memory.host.index == memory.ingress {
            let vlans = memory.host.vlans.iter();
            let served = ServedInterface {
                virtual_macs: memory.host.virtual_macs.iter().copied().collect(),
                vlans: vlans.map(|(index, vlan)| (*index, vlan.vlans)).collect(),
                ..memory.host.interface.into()
            };
            interfaces.insert(memory.ingress, served);
        }
        let table = maps.write_all(interfaces, &service_addresses())?;
        maps.show(table)?;
        let mut program = Self {
            memory,
            loaded,
            maps,
            counters,
            attachment: None,
        };
        program.follow_deadlines()?;
        Ok(program)
    }

    /// Changes until when answers may be given, on the host and in the kernel.
    pub fn change_deadlines(&mut self, change: impl FnOnce(&mut Memory)) {
        change(&mut self.memory);
        self.follow_deadlines().expect("a table");
    }

    fn follow_deadlines(&mut self) -> Result<(), LoadError> {
        let Memory {
            host, deadlines, ..
        } = &self.memory;
        for (zone, deadline) in &deadlines.zones {
            self.loaded.deadlines.set(*zone, *deadline);
            assert_eq!(self.loaded.deadlines.get(*zone), *deadline);
        }
        Ok(self.maps.set_attended_until(host.attended_until)?)
    }

    /// Puts the program on the interface that its frames come in on; without
    /// that the kernel runs it on frames of `lo` only.
    pub fn attach(&mut self, name: &str, choice: ModeChoice) {
        let target = Target {
            name: name.to_owned(),
            index: self.memory.ingress,
            mtu: self.memory.host.interface.mtu.into(),
            occupied_by: None,
        };
        let attachment = attach::attach(&self.loaded, &target, choice);
        self.attachment = Some(attachment.unwrap_or_else(|error| panic!("{error}")));
    }

    /// What the kernel tells of the program.
    pub fn facts(&self) -> ProgramFacts {
        self.loaded.program
    }

    /// Runs the program in the kernel: what it does with the frame, and the
    /// frame afterwards.
    pub fn run(&self, frame: &[u8]) -> (Action, Vec<u8>) {
        let run = match &self.attachment {
            Some(attachment) => self.loaded.test_run_on(attachment.index, frame),
            None => self.loaded.test_run(frame),
        };
        let run = run.unwrap_or_else(|error| panic!("{error}: {frame:02x?}"));
        // The numbers of enum xdp_action, a part of the kernel's interface.
        let action = match run.action {
            0 => Action::Abort,
            2 => Action::Pass,
            3 => Action::Transmit,
            other => panic!("the program returns {other}"),
        };
        (action, run.octets)
    }

    /// Runs the program in the kernel: the one outcome that it counts, and the
    /// frame afterwards.
    pub fn run_counted(&self, frame: &[u8]) -> (Reason, Vec<u8>) {
        let before = self.counters();
        let (action, octets) = self.run(frame);
        let reason = one_outcome(&before, &self.counters());
        assert_eq!(action, reason.action(), "{reason:?}");
        (reason, octets)
    }

    /// All counters.
    pub fn counters(&self) -> Vec<(Reason, u64)> {
        self.counters.read().expect("counters can be read")
    }

    /// The sum of the counters of outcomes with an action.
    pub fn counted(&self, action: Action) -> u64 {
        let counters = self.counters().into_iter();
        counters
            .filter(|(reason, _)| reason.action() == action)
            .map(|(_, packets)| packets)
            .sum()
    }
}

/// The outcome of the one packet that was counted between two readings of the
/// counters.
pub fn one_outcome(before: &[(Reason, u64)], after: &[(Reason, u64)]) -> Reason {
    let counted: Vec<(Reason, u64)> = after
        .iter()
        .zip(before)
        .map(|((reason, after), (_, before))| (*reason, after - before))
        .filter(|(_, packets)| *packets != 0)
        .collect();
    let [(reason, 1)] = counted[..] else {
        panic!("one packet is counted as {counted:?}");
    };
    reason
}
