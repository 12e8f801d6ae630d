//! The program in the kernel, run by `BPF_PROG_TEST_RUN`.

use anyhow::{Result, bail};
use dns_glue_common::maps::Interface;
use dns_glue_common::policy::Policy;
use dns_glue_common::reason::Action;

use super::frame::{SERVER_MAC, SERVER_V4, SERVER_V6};
use crate::compile::Generation;
use crate::kernel::{HostMaps, LoadOptions, Loaded, load};

/// A loaded program; its interface and addresses are those of
/// [`super::frame`].
pub struct Program {
    loaded: Loaded,
    // Held, because the program reads them.
    _maps: HostMaps,
}

impl Program {
    /// Loads the program of a generation.
    ///
    /// # Errors
    ///
    /// The kernel refuses it.
    pub fn load(generation: &Generation, policy: Policy) -> Result<Self> {
        let options = LoadOptions {
            policy,
            log_level: log::LevelFilter::Off,
            verifier_log: None,
        };
        let (loaded, mut maps, _) = load::load(generation, &options)?;
        let interface = Interface {
            mac: SERVER_MAC,
            mtu: 1500,
        };
        maps.set_loopback(interface, [SERVER_V4.into(), SERVER_V6.into()])?;
        Ok(Self {
            loaded,
            _maps: maps,
        })
    }

    /// What it does with a frame, and the frame afterwards.
    ///
    /// # Errors
    ///
    /// The kernel does not run it.
    pub fn run(&self, frame: &[u8]) -> Result<(Action, Vec<u8>)> {
        let run = self.loaded.test_run(frame)?;
        // The numbers of enum xdp_action, a part of the kernel's interface.
        let action = match run.action {
            0 => Action::Abort,
            2 => Action::Pass,
            3 => Action::Transmit,
            other => bail!("the program returns {other}"),
        };
        Ok((action, run.octets))
    }
}
