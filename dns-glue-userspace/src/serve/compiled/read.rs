//! Zones that are read and compiled, beside those that are taken over from the
//! generation that answers.

use std::sync::Arc;

use domain::base::Name;

use super::settled::load_settled;
use super::{
    Answering, CompileError, Compiled, CompiledZone, CompiledZones, ZoneChoice, unix_seconds,
};
use crate::compile::{self, Earlier, Generation, Report, Share, Watch};
use crate::progress::Progress;
use crate::serve::changes::ZoneRoll;
use crate::serve::findings::{Findings, Tally};
use crate::serve::status::ZoneStatus;
use crate::zone::cuts::Delegation;
use crate::zone::faults::{Fault, FaultKind};
use crate::zone::inspect::{Inspection, Inspector, PartNotes, Validity};
use crate::zone::records::Zone;
use crate::zone::source::ZoneSource;
use crate::zone::survey::{Served, Survey};

/// The zones of a choice: read, or to be taken over as they are.
pub struct ReadZones<'a> {
    choice: &'a ZoneChoice,
    answering: Option<Answering<'a>>,
    /// Those that were read, in their order.
    zones: Vec<Zone>,
    /// Of each zone of the choice what is taken over; `None` for those that
    /// were read.
    taken: Vec<Option<Arc<CompiledZone>>>,
}

impl<'a> ReadZones<'a> {
    /// Reads every zone, to tell of the errors of all of them at once. Those
    /// that are in `answering` with the same text are not read.
    ///
    /// # Errors
    ///
    /// Everything that is wrong with any of them, or a zone that is given twice,
    /// or whose files do not settle.
    pub fn read(
        choice: &'a ZoneChoice,
        answering: Option<Answering<'a>>,
        progress: &dyn Progress,
    ) -> Result<Self, CompileError> {
        refuse_twice(&choice.sources)?;
        // Which other zones there are decides what a zone comes to.
        let answering = answering.filter(|answering| answering.choice == choice);
        let taken: Vec<Option<Arc<CompiledZone>>> = (0..choice.sources.len())
            .map(|number| {
                let before = &answering?.zones.each[number];
                before.is_up_to_date().then(|| Arc::clone(before))
            })
            .collect();
        let sources = choice.sources.iter().zip(&taken);
        let others = sources.filter_map(|(source, taken)| taken.is_none().then_some(source));
        let zones = load_settled(&others.collect::<Vec<_>>(), progress)?;
        Ok(Self {
            choice,
            answering,
            zones,
            taken,
        })
    }

    /// Reads those too that were to be taken over. The others are kept: what
    /// came out of a pipe cannot be read again.
    fn read_rest(self, progress: &dyn Progress) -> Result<Self, CompileError> {
        let Self {
            choice,
            zones,
            taken,
            ..
        } = self;
        let sources = choice.sources.iter().zip(&taken);
        let rest = sources.filter_map(|(source, taken)| taken.as_ref().map(|_| source));
        let mut rest = load_settled(&rest.collect::<Vec<_>>(), progress)?.into_iter();
        let mut read = zones.into_iter();
        let all = taken.iter().filter_map(|taken| match taken {
            Some(_) => rest.next(),
            None => read.next(),
        });
        Ok(Self {
            choice,
            answering: None,
            zones: all.collect(),
            taken: vec![None; choice.sources.len()],
        })
    }

    /// Whether no zone was read: what answers is what the files hold.
    pub fn all_are_taken_over(&self) -> bool {
        self.zones.is_empty()
    }

    /// Compiles what was read, and takes over the rest.
    ///
    /// # Errors
    ///
    /// What is wrong with the zones.
    pub fn compile(self, progress: &dyn Progress) -> Result<Compiled, CompileError> {
        self.compile_at(unix_seconds(), progress)
    }

    /// Signatures are judged as of `time`, in seconds of Unix time.
    fn compile_at(self, time: u64, progress: &dyn Progress) -> Result<Compiled, CompileError> {
        match compile_read(&self, time, progress) {
            Ok((generation, each, shares)) => Ok(Compiled {
                generation,
                zones: CompiledZones {
                    each,
                    shares,
                    records: self.into_records(),
                },
            }),
            Err(CompileError::Compile(compile::Error::NotTakenOver)) => {
                self.read_rest(progress)?.compile_at(time, progress)
            }
            Err(CompileError::Compile(error @ compile::Error::Damaged(_))) => {
                log::error!("all zones are compiled anew: {error}");
                self.read_rest(progress)?.compile_at(time, progress)
            }
            Err(error) => Err(error),
        }
    }

    /// The zones served, in the order of the choice.
    fn served(&self) -> impl Iterator<Item = Served<'_>> {
        let mut read = self.zones.iter();
        let sources = self.taken.iter().zip(&self.choice.sources);
        sources.filter_map(move |(taken, source)| match taken {
            Some(_) => Some(Served::Named(source.apex.for_slice())),
            None => read.next().map(Served::Read),
        })
    }

    /// What is taken over, if anything is.
    fn earlier(&self) -> Option<Earlier<'_>> {
        let answering = self.answering?;
        let mut taken = self.taken.iter().flatten().peekable();
        taken.peek()?;
        let shares = self.taken.iter().zip(&answering.zones.shares);
        Some(Earlier {
            tables: answering.tables,
            shares: shares
                .map(|(taken, share)| taken.is_some().then_some(share))
                .collect(),
            holds_deleg: taken.any(|zone| zone.holds_deleg),
        })
    }

    /// The records of each zone.
    fn into_records(self) -> Vec<Option<Arc<Zone>>> {
        let mut read = self.zones.into_iter();
        let before = self
            .answering
            .map_or(&[][..], |answering| &answering.zones.records);
        let zones = self.taken.iter().enumerate();
        zones
            .map(|(number, taken)| match taken {
                Some(_) => before.get(number).cloned().flatten(),
                None => read.next().map(Arc::new),
            })
            .collect()
    }
}

fn refuse_twice(sources: &[ZoneSource]) -> Result<(), CompileError> {
    for (number, source) in sources.iter().enumerate() {
        let mut others = sources[..number].iter();
        if others.any(|other| other.apex == source.apex) {
            let name = source.apex.fmt_with_dot().to_string();
            return Err(CompileError::Twice(name));
        }
    }
    Ok(())
}

/// Reads every zone.
///
/// # Errors
///
/// As [`ReadZones::read`].
pub fn read_zones(choice: &ZoneChoice, progress: &dyn Progress) -> Result<Vec<Zone>, CompileError> {
    ReadZones::read(choice, None, progress).map(|read| read.zones)
}

/// A generation, its zones, and what each has in it.
type Made = (Generation, Vec<Arc<CompiledZone>>, Vec<Share>);

/// Compiles the zones that were read, beside those that are taken over.
fn compile_read(
    read: &ReadZones<'_>,
    time: u64,
    progress: &dyn Progress,
) -> Result<Made, CompileError> {
    let zones = &read.zones[..];
    progress.begin("finding zone cuts", 0);
    let survey = Survey::of_served(read.served(), &read.choice.also_served);
    // As RRSIG tells it: modulo 2^32.
    let inspector = Inspector::new(&survey, time as u32);
    let mut inspection = Inspection::new(inspector);
    let mut tallies: Vec<Tally<'_>> = zones.iter().map(|_| Tally::default()).collect();
    let earlier = read.earlier();
    let watcher = Watcher(inspector);
    let taken = earlier.as_ref();
    let compiled = compile::compile_from(zones, &survey, taken, progress, &watcher, |notes| {
        tallies[notes.inspected.zone()].append(notes.tally);
        inspection.add(notes.inspected);
    })?;
    let mut faults = compiled.faults;
    if read.choice.strict {
        refuse_faults(&faults)?;
    }
    let signed = (0..zones.len()).map(|zone| inspection.validity(zone));
    let signed: Vec<Option<Validity>> = signed.collect();
    progress.begin("looking for faults", 0);
    inspection.finish(&mut faults);
    let faults = by_zone(zones, faults);
    let of_zones = zones.iter().zip(tallies).zip(faults).zip(signed);
    let mut facts = of_zones.map(|(((zone, tally), faults), signed)| ZoneFacts {
        zone,
        tally,
        faults,
        signed,
        time,
    });
    let sources = read.taken.iter().zip(&read.choice.sources);
    let each = sources.filter_map(|(taken, source)| match taken {
        Some(taken) => Some(Arc::clone(taken)),
        None => facts.next().map(|facts| Arc::new(facts.compiled(source))),
    });
    Ok((compiled.generation, each.collect(), compiled.shares))
}

/// Looks at each delegation that is compiled.
struct Watcher<'s, 'z>(Inspector<'s, 'z>);

/// What is noted of the delegations of a part.
struct Notes<'z> {
    tally: Tally<'z>,
    inspected: PartNotes<'z>,
}

impl<'z> Watch<'z> for Watcher<'_, 'z> {
    type Notes = Notes<'z>;

    fn begin(&self, part: usize) -> Notes<'z> {
        let Self(inspector) = self;
        Notes {
            tally: Tally::default(),
            inspected: inspector.begin(part),
        }
    }

    fn note(&self, notes: &mut Notes<'z>, delegation: &Delegation<'z>, report: &Report<'z>) {
        let Self(inspector) = self;
        notes.tally.add(delegation, report);
        inspector.look_at(&mut notes.inspected, delegation);
    }
}

fn refuse_faults(faults: &[Fault<'_>]) -> Result<(), CompileError> {
    let fatal = faults.iter().filter(|fault| fault.fatal_if_strict());
    let faults: Vec<String> = fatal.map(ToString::to_string).collect();
    if faults.is_empty() {
        Ok(())
    } else {
        Err(CompileError::Faults(faults))
    }
}

/// The faults of each zone.
fn by_zone<'z>(zones: &[Zone], faults: Vec<Fault<'z>>) -> Vec<Vec<Fault<'z>>> {
    let mut of_zones = vec![Vec::new(); zones.len()];
    for fault in faults {
        if let Some(number) = zones.element_offset(fault.zone) {
            of_zones[number].push(fault);
        }
    }
    of_zones
}

/// What has become of a zone that was read.
struct ZoneFacts<'z> {
    zone: &'z Zone,
    tally: Tally<'z>,
    faults: Vec<Fault<'z>>,
    /// When what it proves is signed, from `time` on.
    signed: Option<Validity>,
    /// When it was read, in seconds of Unix time.
    time: u64,
}

impl ZoneFacts<'_> {
    /// What is kept of it.
    fn compiled(self, source: &ZoneSource) -> CompiledZone {
        let Self { zone, .. } = self;
        CompiledZone {
            status: self.status(source),
            findings: Findings::new(&self.faults, &self.tally),
            roll: ZoneRoll {
                apex: Name::from_octets(zone.apex().as_slice().to_vec()).expect("it is a name"),
                serial: zone.serial(),
                delegations: self.tally.roll,
            },
            files: zone.files().to_vec(),
            texts: zone.texts().cloned(),
            holds_deleg: zone.holds_deleg(),
            read_at: self.time,
        }
    }

    fn status(&self, source: &ZoneSource) -> ZoneStatus {
        let refused = self
            .faults
            .iter()
            .filter(|fault| fault.is_stop() || matches!(fault.kind, FaultKind::DelegWithoutNs(_)));
        let at = |seconds: i32| self.time.saturating_add_signed(seconds.into());
        ZoneStatus {
            apex: self.zone.apex().fmt_with_dot().to_string(),
            serial: self.zone.serial(),
            denial: self.zone.denial().name().to_owned(),
            delegations: self.tally.delegations,
            proofs: self.tally.proofs.clone(),
            refused: refused.count() as u64,
            too_deep: self.tally.too_deep.total as u64,
            signatures_from: self.signed.map(|validity| at(validity.from)),
            signatures_until: self.signed.map(|validity| at(validity.until)),
            // Whoever asks for the status may stand in another folder.
            file: std::path::absolute(&source.path).unwrap_or_else(|_| source.path.clone()),
        }
    }
}

#[cfg(test)]
mod tests;
