//! Encoding and hashing on all processors.

use std::num::NonZero;
use std::sync::mpsc::sync_channel;
use std::thread;

use dns_glue_common::index::HashSecret;

use super::batch::{Batch, PieceRun};
use super::delegation::Encoder;
use super::depths::ChosenDepths;
use super::table::NameHasher;
use super::{Looked, Report, Source, Watch, stop_entry};

/// More threads than this would wait for the one that puts everything together.
const MAX_WORKERS: usize = 8;
/// Parts that a worker may be ahead of that one.
const AHEAD: usize = 2;

/// Makes a batch of each part of `source`, and hands them to `merge` in the
/// order of the parts, with the number of the worker that made it.
pub fn run<'z, S: Source<'z>, W: Watch<'z>>(
    source: &S,
    depths: &ChosenDepths,
    secret: &HashSecret,
    watch: &W,
    mut merge: impl FnMut(usize, Batch<'z, W::Notes>),
) {
    let processors = thread::available_parallelism().map_or(1, NonZero::get);
    let workers = source.parts().min(processors).min(MAX_WORKERS);
    if workers <= 1 {
        let mut worker = Worker::new(source, depths, secret, watch);
        for part in 0..source.parts() {
            merge(0, worker.make(part));
        }
        return;
    }
    thread::scope(|scope| {
        let queues: Vec<_> = (0..workers)
            .map(|first| {
                let (batches, queue) = sync_channel(AHEAD);
                scope.spawn(move || {
                    let mut worker = Worker::new(source, depths, secret, watch);
                    for part in (first..source.parts()).step_by(workers) {
                        // Nobody takes it only if the other thread panics.
                        if batches.send(worker.make(part)).is_err() {
                            return;
                        }
                    }
                });
                queue
            })
            .collect();
        for part in 0..source.parts() {
            let worker = part % workers;
            match queues[worker].recv() {
                Ok(batch) => merge(worker, batch),
                // The worker panicked: the scope says so.
                Err(_) => return,
            }
        }
    });
}

/// Makes batches on one thread.
pub struct Worker<'s, 'z, S: Source<'z> + 's, W> {
    source: &'s S,
    reader: S::Reader<'s>,
    depths: &'s ChosenDepths,
    hasher: NameHasher<'s>,
    encoder: Encoder<'z>,
    watch: &'s W,
    /// Pieces made so far.
    made: u32,
}

impl<'s, 'z, S: Source<'z>, W: Watch<'z>> Worker<'s, 'z, S, W> {
    fn new(source: &'s S, depths: &'s ChosenDepths, secret: &'s HashSecret, watch: &'s W) -> Self {
        Self {
            source,
            reader: source.reader(),
            depths,
            hasher: NameHasher::new(secret),
            encoder: Encoder::default(),
            watch,
            made: 0,
        }
    }

    /// Makes a batch of a part.
    fn make(&mut self, part: usize) -> Batch<'z, W::Notes> {
        let Self {
            source,
            reader,
            depths,
            hasher,
            encoder,
            watch,
            made,
        } = self;
        let mut batch = Batch {
            pieces: PieceRun::behind(*made),
            slots: Vec::new(),
            stop_slots: Vec::new(),
            faults: Vec::new(),
            notes: watch.begin(part),
        };
        source.look_at(reader, part, |looked| match looked {
            Looked::Delegation(delegation) => {
                let one = encoder.encode(delegation, &mut batch.pieces);
                let too_deep = !depths.hold(delegation.cut);
                batch.slots.push(if too_deep {
                    one.slot
                } else {
                    hasher.entry(delegation.cut.as_slice(), one.slot)
                });
                let report = Report {
                    cut: delegation.cut,
                    octets: one.octets,
                    loss: one.loss,
                    too_deep,
                };
                watch.note(&mut batch.notes, delegation, &report);
            }
            Looked::Stop(stop, fault) => {
                if depths.hold(stop.name) {
                    batch.stop_slots.extend(stop_entry(&stop, hasher));
                }
                batch.faults.extend(fault);
            }
        });
        *made = batch.pieces.made();
        batch
    }
}
