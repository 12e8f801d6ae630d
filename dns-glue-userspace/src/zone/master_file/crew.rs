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
use super::pieces::{PIECE, Pieces, Text};
use crate::zone::builder::ZoneBuilder;
use crate::zone::texts::Digesting;

/// A piece to read ahead.
struct Job {
    text: Vec<u8>,
    state: State,
    /// For its records; empty.
    builder: ZoneBuilder,
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
    /// Reads the file that was opened last.
    ///
    /// # Errors
    ///
    /// If it cannot be read. Errors in it are not among these.
    pub(super) fn read_open(&mut self, text: Text, state: State) -> io::Result<()> {
        let is_file = matches!(text, Text::File(_));
        let mut pieces = Pieces::begin(Digesting::new(text), PIECE)?;
        self.read_pieces(&mut pieces, state)?;
        if let (Some(texts), Some(path)) = (&mut self.texts, self.open_files.last()) {
            match is_file {
                true => texts.add_file(path, pieces.into_source()),
                false => texts.add_pipe(path),
            }
        }
        Ok(())
    }

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
            for _ in 0..workers {
                let queue = Arc::clone(&queue);
                scope.spawn(move || work(&queue));
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
        // Memory that was used once is used again.
        let mut builders = Vec::new();
        let mut guess = state.guessed();
        // An entry without an end is tried again when there is twice the text.
        let mut wanted = 0;
        loop {
            while waiting.len() < most
                && let Some(text) = pieces.next()?
            {
                let builder = builders.pop().unwrap_or_else(|| self.builder.another());
                waiting.push_back(send(text, &mut guess, builder, jobs));
            }
            let Some(turn) = waiting.pop_front() else {
                return Ok(());
            };
            let ahead = turn.report.recv().expect("a worker reports every piece");
            let guessed = rest.is_empty()
                && turn.origin.as_slice() == state.origin.as_slice()
                && turn.default_ttl == state.default_ttl;
            if let Some((mut builder, end)) = ahead.read.filter(|_| guessed) {
                self.builder
                    .append(&mut builder, state.place.lines_before());
                builders.push(builder);
                state.go_to(end);
                pieces.reuse(ahead.text);
                continue;
            }
            rest.extend_from_slice(&ahead.text);
            pieces.reuse(ahead.text);
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

/// Gives a piece to the workers, and guesses at the state behind it.
fn send(text: Vec<u8>, guess: &mut State, builder: ZoneBuilder, jobs: &Sender<Job>) -> Waiting {
    let state = guess.clone();
    guess.pass_directives(&text);
    let (report, reports) = mpsc::channel();
    let waiting = Waiting {
        origin: state.origin.clone(),
        default_ttl: state.default_ttl,
        report: reports,
    };
    let job = Job {
        text,
        state,
        builder,
        report,
    };
    jobs.send(job).expect("the workers live as long as jobs");
    waiting
}

/// Reads pieces until there are no more.
fn work(queue: &Mutex<Receiver<Job>>) {
    loop {
        let job = queue
            .lock()
            .expect("no worker panics with the queue")
            .recv();
        let Ok(job) = job else {
            return;
        };
        let Job {
            text,
            mut state,
            builder,
            report,
        } = job;
        let mut reader = Reader::ahead(builder);
        let done = reader.read_entries(&text, &mut state, true);
        let whole = done == text.len() && reader.errors.is_empty();
        let read = whole.then_some((reader.builder, state));
        // Nobody waits for it when the file cannot be read further.
        let _ = report.send(Ahead { text, read });
    }
}
