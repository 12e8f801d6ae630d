//! Reads the pieces of a text on all cores.
//!
//! Each piece but the first is read ahead of its turn, by a guess at what the
//! entries before it leave behind. When its turn has come and the guess was
//! right, what was read is taken; else, or if anything was wrong with it, the
//! piece is read again in its turn. So the outcome, errors and their places
//! included, is that of reading the whole text from the start to the end.

use std::collections::VecDeque;
use std::io::{self, Read};
use std::num::NonZero;
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Mutex};
use std::thread;

use domain::base::Name;

use super::entries::{Reader, State};
use super::pieces::Pieces;
use crate::zone::builder::ZoneBuilder;

/// A piece to read ahead.
struct Job {
    text: Vec<u8>,
    state: State,
    report: Sender<Ahead>,
}

/// What came of a piece.
struct Ahead {
    text: Vec<u8>,
    /// Its records and the state behind it, if all of it could be read.
    read: Option<(ZoneBuilder, State)>,
}

/// A piece that is read ahead.
struct Waiting {
    origin: Name<Vec<u8>>,
    default_ttl: Option<u32>,
    report: Receiver<Ahead>,
}

impl Reader {
    /// Reads all pieces of a file.
    ///
    /// # Errors
    ///
    /// If the file cannot be read. Errors in it are not among these.
    pub(super) fn read_pieces<R: Read>(
        &mut self,
        pieces: &mut Pieces<R>,
        mut state: State,
    ) -> io::Result<()> {
        let Some(first) = pieces.next()? else {
            return Ok(());
        };
        let more = !pieces.is_at_end();
        let done = self.read_entries(&first, &mut state, more);
        if !more || state.place.is_given_up() {
            return Ok(());
        }
        let rest = first[done..].to_vec();
        drop(first);
        let workers = thread::available_parallelism().map_or(1, NonZero::get);
        thread::scope(|scope| {
            let (jobs, queue) = mpsc::channel();
            let queue = Arc::new(Mutex::new(queue));
            let apex = Name::from_octets(self.builder.apex().as_slice().to_vec());
            let apex = apex.expect("the apex is a name");
            for _ in 0..workers {
                let (queue, apex) = (Arc::clone(&queue), apex.clone());
                scope.spawn(move || work(&queue, &apex));
            }
            self.take_turns(pieces, &mut state, rest, &jobs, workers + 1)
        })
    }

    /// Takes the pieces in their order, of which `most` are read ahead.
    fn take_turns<R: Read>(
        &mut self,
        pieces: &mut Pieces<R>,
        state: &mut State,
        mut rest: Vec<u8>,
        jobs: &Sender<Job>,
        most: usize,
    ) -> io::Result<()> {
        let mut waiting = VecDeque::new();
        // An entry without an end is tried again when there is twice the text.
        let mut wanted = 0;
        loop {
            while waiting.len() < most
                && let Some(text) = pieces.next()?
            {
                waiting.push_back(send(text, state, jobs));
            }
            let Some(turn) = waiting.pop_front() else {
                return Ok(());
            };
            let ahead = turn.report.recv().expect("a worker reports every piece");
            let guessed = rest.is_empty()
                && turn.origin.as_slice() == state.origin.as_slice()
                && turn.default_ttl == state.default_ttl;
            if let Some((builder, end)) = ahead.read.filter(|_| guessed) {
                self.builder.append(builder, state.place.lines_before());
                state.go_to(end);
                continue;
            }
            rest.extend_from_slice(&ahead.text);
            let more = !waiting.is_empty() || !pieces.is_at_end();
            if more && rest.len() < wanted {
                continue;
            }
            let done = self.read_entries(&rest, state, more);
            if state.place.is_given_up() {
                return Ok(());
            }
            rest.drain(..done);
            wanted = 2 * rest.len();
        }
    }
}

/// Gives a piece to the workers.
fn send(text: Vec<u8>, state: &State, jobs: &Sender<Job>) -> Waiting {
    let (report, reports) = mpsc::channel();
    let job = Job {
        text,
        state: state.guessed(),
        report,
    };
    jobs.send(job).expect("the workers live as long as jobs");
    Waiting {
        origin: state.origin.clone(),
        default_ttl: state.default_ttl,
        report: reports,
    }
}

/// Reads pieces until there are no more.
fn work(queue: &Mutex<Receiver<Job>>, apex: &Name<Vec<u8>>) {
    loop {
        let job = queue
            .lock()
            .expect("no worker panics with the queue")
            .recv();
        let Ok(Job {
            text,
            mut state,
            report,
        }) = job
        else {
            return;
        };
        let mut reader = Reader::ahead(apex);
        let done = reader.read_entries(&text, &mut state, true);
        let whole = done == text.len() && reader.errors.is_empty();
        let read = whole.then_some((reader.builder, state));
        // Nobody waits for it when the file cannot be read further.
        let _ = report.send(Ahead { text, read });
    }
}
