//! What the daemon tells of itself: to `status`, and to those who ask when it
//! is gone.

use std::net::IpAddr;

use dns_glue_common::policy::Policy;

use super::{Config, Daemon, DaemonError, FallbackChoice};
use crate::kernel::load::ProgramFacts;
use crate::kernel::{About, LoadError, Loaded};
use crate::serve::control::Reply;
use crate::serve::status::{
    CounterStatus, InterfaceStatus, LastWord, ProgramStatus, SettingsStatus, Status, unix_seconds,
};
use crate::shortage::in_full;

impl Daemon {
    pub(super) fn status_reply(&self) -> Reply {
        match self.status() {
            Ok(status) => Reply::Status(Box::new(status)),
            Err(error) => Reply::Error {
                message: in_full(&error),
            },
        }
    }

    fn status(&self) -> Result<Status, DaemonError> {
        let counters = self.counters.read().map_err(LoadError::from)?;
        Ok(Status {
            counters: counters
                .into_iter()
                .map(|(reason, packets)| CounterStatus::new(reason, packets))
                .collect(),
            reload_under_way: self.reloads.under_way(),
            ..self.status_without_counters()
        })
    }

    /// What is told of the host: the interfaces and the service addresses.
    pub(super) fn host_told(&self) -> (Vec<InterfaceStatus>, Vec<IpAddr>) {
        let interfaces = self.served.iter();
        (
            interfaces
                .map(|served| served.status(&self.config.paths))
                .collect(),
            self.host_maps.addresses().iter().copied().collect(),
        )
    }

    fn status_without_counters(&self) -> Status {
        let (interfaces, addresses) = self.host_told();
        let pins = self.folder.path().map(std::path::Path::to_path_buf);
        Status {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            pid: std::process::id(),
            uptime_seconds: self.since.elapsed().as_secs(),
            interfaces,
            addresses,
            zones: self.generation.zones.statuses().cloned().collect(),
            settings: SettingsStatus {
                pins,
                ..settings_status(&self.config, self.addresses.are_given())
            },
            program: program_status(&self.generation.loaded),
            generation: self.generation.status.clone(),
            last_reload: self.last_reload.clone(),
            // It ends with the process.
            reload_under_way: None,
            behind: self.guard.status(),
            counters: Vec::new(),
        }
    }

    /// Leaves word of what answers, for the time when nobody can be asked.
    pub(super) fn leave_word(&mut self) {
        let mut word = LastWord {
            at: unix_seconds(),
            attended_until: self.guard.told_until(),
            control: self.config.control.clone(),
            network_namespace: Some(self.network.namespace()),
            status: self.status_without_counters(),
        };
        let Some(about) = &mut self.about else { return };
        let mut written = write_word(about, &word);
        // Of many zones there is more to say than there is room for: what is
        // least needed is left out first.
        for shorten in [LastWord::forget_addresses_behind, LastWord::forget_zones] {
            if written.is_ok() {
                break;
            }
            shorten(&mut word);
            written = write_word(about, &word);
        }
        if let Err(error) = written {
            log::warn!("`dns-glue status` will know less when this process is gone: {error}");
        }
    }
}

pub(super) fn write_word(about: &mut About, word: &LastWord) -> std::io::Result<()> {
    let text = serde_json::to_string(word).map_err(std::io::Error::other)?;
    about.write(&text)
}

fn settings_status(config: &Config, addresses_given: bool) -> SettingsStatus {
    let Policy {
        port,
        max_udp,
        nsid,
        ..
    } = config.policy;
    SettingsStatus {
        port,
        max_udp,
        nsid: nsid
            .is_some()
            .then(|| nsid.as_slice().escape_ascii().to_string()),
        mode: config.mode.to_string(),
        cookies: String::from(if config.policy.has(Policy::COOKIES_PASS) {
            "pass"
        } else {
            "ignore"
        }),
        pass_ecs: config.policy.has(Policy::ECS_PASS),
        copy_cd: config.policy.has(Policy::COPY_CD),
        reply_via: String::from(if config.paths.via_fib { "fib" } else { "swap" }),
        fallback: String::from(match config.fallback {
            FallbackChoice::None => "none",
            FallbackChoice::Embedded => "embedded",
        }),
        addresses_given,
        serves: config
            .zones
            .also_served
            .iter()
            .map(|apex| apex.fmt_with_dot().to_string())
            .collect(),
        pins: None,
        watch: config.watch,
    }
}

fn program_status(loaded: &Loaded) -> ProgramStatus {
    let ProgramFacts {
        id,
        verified_instructions,
        jited_octets,
    } = loaded.program;
    ProgramStatus {
        id,
        verified_instructions,
        jited_octets,
        map_octets: loaded.memory.total(),
        index_octets: loaded.memory.index,
        pieces_octets: loaded.memory.pieces,
    }
}
