//! Zones out of pipes, which can be read once, beside others that are read again.

use std::fs::{self, OpenOptions};
use std::io::{PipeReader, Write as _, pipe};
use std::os::fd::AsRawFd as _;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;
use std::thread;

use dns_glue::serve::compiled::{CompileError, compile_zones};

use super::{Compiled, Folder, assert_as_from_scratch, compile, deep, large, next, taken};

/// What a pipe holds if nobody reads, at most.
const PIPE_OCTETS: usize = 1 << 16;

/// A zone's file that is a pipe with this text, as a shell's `<(...)` gives it:
/// once it is read it is empty, and nobody writes to it any more.
fn piped(folder: &Folder, name: &str, text: &str) -> PipeReader {
    let (reader, mut writer) = pipe().expect("a pipe");
    assert!(text.len() <= PIPE_OCTETS);
    writer.write_all(text.as_bytes()).expect("there is room");
    link(folder, name, &reader);
    reader
}

fn link(folder: &Folder, name: &str, reader: &PipeReader) {
    let path = folder.0.join(name);
    let _none_before = fs::remove_file(&path);
    symlink(format!("/proc/self/fd/{}", reader.as_raw_fd()), path).expect("a link");
}

fn make_fifo(path: &Path) {
    let made = Command::new("mkfifo").arg(path).status().expect("mkfifo");
    assert!(made.success());
}

#[test]
fn a_zone_out_of_a_pipe_is_read_each_time() {
    let folder = Folder::new();
    let choice = folder.choice(&["test."]);
    let fifo = folder.0.join("0");
    make_fifo(&fifo);
    let write = |path: &Path| {
        let mut fifo = OpenOptions::new().write(true).open(path).expect("a reader");
        fifo.write_all(large(1, 3).as_bytes()).expect("it reads");
    };
    let read = |before: Option<&Compiled>| {
        thread::scope(|scope| {
            scope.spawn(|| write(&fifo));
            match before {
                Some(before) => next(&choice, before, &choice),
                None => compile(&choice),
            }
        })
    };
    let before = read(None);
    let after = read(Some(&before));
    assert_eq!(taken(&before, &after), [false]);
}

/// The numbers of labels that are looked for change, so that the other zone has
/// to be read after all.
#[test]
fn a_pipe_is_read_once_where_nothing_can_be_taken_over() {
    let folder = Folder::new();
    let choice = folder.choice(&["test.", "example."]);
    folder.write("0", &deep(1, 1..=20, 1));
    let before = {
        let _pipe = piped(&folder, "1", &deep(1, 1..=10, 3));
        compile(&choice)
    };
    let changed = deep(2, 8..=20, 3);
    let after = {
        let _pipe = piped(&folder, "1", &changed);
        next(&choice, &before, &choice)
    };
    assert_eq!(taken(&before, &after), [false, false]);
    fs::remove_file(folder.0.join("1")).expect("it was there");
    folder.write("1", &changed);
    assert_as_from_scratch(&after, &choice);
}

/// The file of the first zone changes when it is read, while the second comes
/// out of a pipe.
#[test]
fn a_pipe_is_read_once_where_another_zone_has_to_be_read_again() {
    let folder = Folder::new();
    let choice = folder.choice(&["test.", "example."]);
    folder.write("0", &large(1, 3));
    let text = large(7, 3000);
    let (rest, all_but_one) = text.as_bytes().split_last().expect("a text");
    assert!(all_but_one.len() > 2 * PIPE_OCTETS);
    let (reader, mut writer) = pipe().expect("a pipe");
    link(&folder, "1", &reader);
    let compiled = thread::scope(|scope| {
        scope.spawn(|| {
            // Done only when somebody reads, who has read the other file then.
            writer.write_all(all_but_one).expect("it reads");
            folder.write("0", &large(2, 4));
            writer.write_all(&[*rest]).expect("it reads");
            drop(writer);
        });
        compile(&choice)
    });
    fs::remove_file(folder.0.join("1")).expect("it was there");
    folder.write("1", &text);
    assert_as_from_scratch(&compiled, &choice);
    let serials: Vec<u32> = compiled.zones.records().map(|zone| zone.serial()).collect();
    assert_eq!(serials, [2, 7]);
}

/// Half of the old version and half of the new one is a zone that nobody has
/// written.
#[test]
fn a_zone_whose_file_changes_while_its_pipe_is_read_is_refused() {
    let folder = Folder::new();
    let choice = folder.choice(&["test."]);
    let including = |serial| large(serial, 3) + "$INCLUDE more\n";
    folder.write("0", &including(1));
    let text: String = (0..8000)
        .map(|number| format!("more{number} NS ns.void.\n"))
        .collect();
    let (rest, all_but_one) = text.as_bytes().split_last().expect("a text");
    assert!(all_but_one.len() > 2 * PIPE_OCTETS);
    let compile_while = |meanwhile: &(dyn Fn() + Sync)| {
        let (reader, mut writer) = pipe().expect("a pipe");
        link(&folder, "more", &reader);
        thread::scope(|scope| {
            scope.spawn(move || {
                // Done only when somebody reads, who has read the file then.
                writer.write_all(all_but_one).expect("it reads");
                meanwhile();
                writer.write_all(&[*rest]).expect("it reads");
            });
            compile_zones(&choice, &())
        })
    };
    let settled = compile_while(&|| {});
    let settled = settled.unwrap_or_else(|error| panic!("{error}"));
    let serials: Vec<u32> = settled.zones.records().map(|zone| zone.serial()).collect();
    assert_eq!(serials, [1]);
    let write_next = || {
        folder.write("0", &including(2));
    };
    match compile_while(&write_next) {
        Err(CompileError::Unsettled(zone)) => assert_eq!(zone, "test."),
        Err(error) => panic!("{error}"),
        Ok(_) => panic!("a file of serial 1 with an include of serial 2"),
    }
}
