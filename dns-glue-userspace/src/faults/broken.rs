//! Zones that are no zones, fed to a reload: what was there answers on.

use std::fs;
use std::io::Write as _;
use std::path::Path;

use anyhow::{Context as _, Result, ensure};

use super::client::Moment;
use super::reloads::{reload, restore};
use super::report::Row;
use super::site::Site;
use super::stage::{Extent, Stage};
use super::versions::Versions;

/// What dns-glue finds in place of its zone, made from the text of the second
/// version and the serials of both.
type Spoil = fn(&str, [u32; 2]) -> Found;

/// What is there.
enum Found {
    /// A file with this text.
    Text(String),
    /// No file.
    Nothing,
    /// A folder.
    Folder,
}

const CASES: [(&str, Spoil); 8] = [
    ("a record without data", |text, _| {
        Found::Text(format!("{text}d000001.faults.example. 3600 IN NS\n"))
    }),
    ("a serial that goes backwards", |text, [first, second]| {
        Found::Text(text.replacen(&second.to_string(), &(first - 1).to_string(), 1))
    }),
    ("no file", |_, _| Found::Nothing),
    ("a folder", |_, _| Found::Folder),
    ("no octets", |_, _| Found::Text(String::new())),
    ("a file cut short", |text, _| {
        Found::Text(text[..end_within_record(text, text.len() / 2)].to_owned())
    }),
    ("no SOA record", |text, _| {
        let (_, rest) = text.split_once('\n').unwrap_or_default();
        Found::Text(rest.to_owned())
    }),
    ("another zone", |text, _| {
        Found::Text(text.replace("faults.example.", "other.example."))
    }),
];

/// Pieces in which a zone is written while it is read.
const PIECES: usize = 8;

/// Lets dns-glue reload each of them, under load.
///
/// # Errors
///
/// `dns-glue` cannot be run, or a good zone is not taken at the end.
pub fn run(stage: &mut Stage, name: &'static str, extent: Extent) -> Result<Row> {
    let mut row = Row::new(name, stage.site.zone());
    let path = stage.site.version_file(Versions::SECOND);
    let second = fs::read_to_string(path).with_context(|| format!("read {}", path.display()))?;
    stage.during(&mut row, &[], Versions::FIRST, |site, moment, row| {
        let serials = [Versions::FIRST, Versions::SECOND].map(|version| site.serial(version));
        let mut rounds = extent.begin();
        while rounds.another()? {
            for (what, spoil) in CASES {
                put(site.daemon.zone_file(), &spoil(&second, serials))?;
                expect_refusal(site, row, what)?;
            }
            write_slowly(site, moment, row, &second)?;
            // After all of that a good zone is taken.
            restore(site, moment)?;
            if reload(site, moment, row, Versions::SECOND)? {
                restore(site, moment)?;
            }
            row.rounds += 1;
        }
        Ok(())
    })?;
    Ok(row)
}

/// Replaces a file, whatever it was.
fn put(path: &Path, found: &Found) -> Result<()> {
    let done = match fs::symlink_metadata(path) {
        Ok(there) if there.is_dir() => fs::remove_dir(path),
        Ok(_) => fs::remove_file(path),
        Err(_) => Ok(()),
    };
    done.and_then(|()| match found {
        Found::Text(text) => fs::write(path, text),
        Found::Nothing => Ok(()),
        Found::Folder => fs::create_dir(path),
    })
    .with_context(|| format!("put something else in place of {}", path.display()))
}

/// A reload must be refused, and the first version go on.
fn expect_refusal(site: &Site, row: &mut Row, what: &str) -> Result<()> {
    let reload = site.daemon.reload(&[])?;
    row.note_once(what, &reload.said);
    if reload.is_ok {
        row.complaints
            .push(format!("{what}: it was taken: {}", reload.said));
    }
    if reload.said.is_empty() {
        row.complaints.push(format!("{what}: nothing was said"));
    }
    let status = site.daemon.status()?;
    let serial = status["zones"][0]["serial"].as_u64();
    if serial != Some(site.serial(Versions::FIRST).into()) {
        row.complaints
            .push(format!("{what}: status tells the serial {serial:?}"));
    }
    if status["last_reload"]["ok"] != false {
        let last = &status["last_reload"];
        row.complaints
            .push(format!("{what}: status tells of no failure: {last}"));
    }
    Ok(())
}

/// Writes the second version in place, piece by piece, each of which ends
/// within a record; a reload after each is refused, but after the last.
fn write_slowly(site: &Site, moment: &Moment, row: &mut Row, text: &str) -> Result<()> {
    let path = site.daemon.zone_file();
    put(path, &Found::Text(String::new()))?;
    let file = fs::OpenOptions::new().append(true).open(path);
    let mut file = file.with_context(|| format!("open {}", path.display()))?;
    let mut written = 0;
    for piece in 1..PIECES {
        let end = end_within_record(text, text.len() * piece / PIECES);
        ensure!(end > written, "the zone is too short for {PIECES} pieces");
        file.write_all(&text.as_bytes()[written..end])
            .context("write a zone")?;
        written = end;
        expect_refusal(site, row, "a file that is being written")?;
    }
    file.write_all(&text.as_bytes()[written..])
        .context("write a zone")?;
    moment.allow(Versions::EITHER);
    let reload = site.daemon.reload(&[])?;
    row.reloads.push(reload.took);
    if reload.is_ok {
        moment.allow(Versions::SECOND);
    } else {
        row.complaints
            .push(format!("a file that was written: {}", reload.said));
    }
    Ok(())
}

/// A place near `at` behind the type of a record, and in front of its data.
///
/// Nobody can tell a file that was cut behind a record from a whole one.
fn end_within_record(text: &str, at: usize) -> usize {
    const TYPE: &str = " IN NS ";
    text[at..]
        .find(TYPE)
        .map_or(0, |offset| at + offset + TYPE.len())
}

#[cfg(test)]
mod tests {
    use domain::base::Name;

    use super::*;
    use crate::faults::marked;
    use crate::zone::master_file::read_text;

    fn read(text: &str) -> Result<u32, String> {
        let apex = Name::vec_from_str(marked::APEX).expect("a name");
        let zone = read_text(&apex, Path::new("broken.zone"), text.as_bytes());
        zone.map(|zone| zone.serial())
            .map_err(|errors| errors.to_string())
    }

    #[test]
    fn every_text_is_refused_or_goes_backwards() {
        let text = marked::zone(2, 30);
        let serials = [marked::SERIAL + 1, marked::SERIAL + 2];
        assert_eq!(read(&text), Ok(serials[1]));
        let mut backwards = 0;
        for (what, spoil) in CASES {
            let Found::Text(text) = spoil(&text, serials) else {
                continue;
            };
            match read(&text) {
                Ok(serial) => {
                    assert_eq!(serial, serials[0] - 1, "{what}");
                    backwards += 1;
                }
                Err(why) => assert!(!why.is_empty(), "{what}"),
            }
        }
        assert_eq!(backwards, 1);
    }

    #[test]
    fn a_piece_ends_within_a_record() {
        let text = marked::zone(2, 30);
        for piece in 1..PIECES {
            let end = end_within_record(&text, text.len() * piece / PIECES);
            assert!(end < text.len());
            assert!(read(&text[..end]).is_err());
        }
    }
}
