//! One generation of the zones: made on a thread of its own, because compiling
//! takes its time and blocks.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;

use dns_glue_common::policy::Policy;
use tokio::task::{AbortHandle, JoinSet};

use super::{Config, DaemonError, FallbackChoice};
use crate::kernel::load::{ProgramFacts, load_beside};
use crate::kernel::requirements::Octets;
use crate::kernel::{LoadOptions, Loaded, SharedMaps, log_records};
use crate::serve::compiled::{Compiled, CompiledZones, give_back_memory};
use crate::serve::fallback::server::{Fallback, Limits};
use crate::serve::fallback::{FallbackZones, Settings};
use crate::serve::status::{GenerationStatus, unix_seconds};

/// A generation that is loaded, and does not answer yet.
pub(super) struct Made {
    pub(super) loaded: Loaded,
    /// For the embedded fallback, if it was chosen.
    pub(super) fallback: Option<FallbackZones>,
    pub(super) zones: Arc<CompiledZones>,
}

impl Made {
    /// Loads the program, with the maps of the host that all generations share;
    /// what only the compiler needs is freed again.
    pub(super) fn load(
        compiled: Compiled,
        config: &Config,
        shared: &SharedMaps,
    ) -> Result<Self, DaemonError> {
        let Compiled {
            generation,
            mut zones,
        } = compiled;
        for warning in zones.warnings() {
            log::warn!("{warning}");
        }
        // The records are freed here, unless the fallback answers from them.
        let fallback = match config.fallback {
            FallbackChoice::None => {
                zones.forget_records();
                None
            }
            FallbackChoice::Embedded => Some(FallbackZones::new(zones.records())?),
        };
        let options = LoadOptions {
            policy: config.policy,
            log_level: config.log_level,
            verifier_log: config.verifier_log.clone(),
        };
        let loaded = load_beside(&generation, &options, shared)?;
        drop(generation);
        give_back_memory();
        log_program(&loaded);
        Ok(Self {
            loaded,
            fallback,
            zones: Arc::new(zones),
        })
    }
}

/// The embedded fallback; it listens nowhere yet.
pub(super) fn fallback(zones: FallbackZones, config: &Config) -> Fallback {
    let settings = Settings {
        max_udp: config.policy.max_udp,
        nsid: config.policy.nsid,
        copy_cd: config.policy.has(Policy::COPY_CD),
    };
    Fallback::new(zones, settings, Limits::default())
}

/// The generation that answers.
pub(super) struct Generation {
    pub(super) loaded: Loaded,
    /// For the next one too, which takes over those that do not change.
    pub(super) zones: Arc<CompiledZones>,
    /// The files that it was made of, and those of which the next was not.
    pub(super) files: BTreeSet<PathBuf>,
    pub(super) status: GenerationStatus,
    /// Writes the program's records to our log.
    records: Option<AbortHandle>,
}

impl Generation {
    /// From now on it answers. What is left of `made` is for others.
    pub(super) fn begin(made: Made, number: u64, tasks: &mut JoinSet<()>) -> Self {
        let Made {
            mut loaded, zones, ..
        } = made;
        let records = match log_records::follow(&mut loaded) {
            Ok(records) => Some(tasks.spawn(records)),
            Err(error) => {
                log::warn!("the program's own messages will not be seen: {error}");
                None
            }
        };
        let since = unix_seconds();
        Self {
            loaded,
            files: zones.files(),
            zones,
            status: GenerationStatus { number, since },
            records,
        }
    }
}

impl Drop for Generation {
    fn drop(&mut self) {
        if let Some(records) = &self.records {
            records.abort();
        }
    }
}

fn log_program(loaded: &Loaded) {
    let ProgramFacts {
        id,
        verified_instructions,
        jited_octets,
    } = loaded.program;
    let verified = verified_instructions.map_or(String::new(), |count| {
        format!(", {count} instructions verified")
    });
    log::info!(
        "loaded as program {id}{verified}, {jited_octets} octets of machine code, {} of maps",
        Octets(loaded.memory.total())
    );
}
