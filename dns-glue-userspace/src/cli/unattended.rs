//! `status` and `stop` where no daemon runs: what one has left behind.

use std::path::Path;

use anyhow::bail;
use serde_json::json;

use super::print;
use super::status::{ago, describe, duration};
use crate::kernel::unattended::{Unattended, look};
use crate::kernel::{PinFolder, PinnedLink};
use crate::serve::control::ClientError;
use crate::serve::status::{CounterStatus, LastWord, Status, unix_seconds};

/// Tells what answers without a daemon.
///
/// # Errors
///
/// `error`, why there is no daemon, if there is nothing else to tell.
pub fn status(pins: &Path, json: bool, all: bool, error: ClientError) -> anyhow::Result<()> {
    let left = find(pins, error)?;
    let word = LastWord::newest(&left.words);
    if left.is_attended {
        let control = word.map(|word| format!(" --control {}", word.control.display()));
        bail!(
            "the daemon of {} has another control socket{}",
            pins.display(),
            control.unwrap_or_default()
        );
    }
    let text = if json {
        serde_json::to_string_pretty(&in_json(&left, word.as_ref()))? + "\n"
    } else {
        in_words(pins, &left, word.as_ref(), all)
    };
    print(&text)?;
    Ok(())
}

/// Detaches what answers without a daemon.
///
/// # Errors
///
/// `error`, why there is no daemon, if there is nothing to detach; a daemon has
/// the folder; or the file system says no.
pub fn stop(pins: &Path, json: bool, error: ClientError) -> anyhow::Result<()> {
    let left = find(pins, error)?;
    let interfaces = interfaces(&left.links);
    drop(left);
    // Claimed, so that no daemon starts meanwhile.
    PinFolder::claim(pins)?.remove()?;
    let text = if json {
        format!("{}\n", json!({ "stopped": null, "detached": interfaces }))
    } else {
        let numbers: Vec<String> = interfaces.iter().map(u32::to_string).collect();
        let numbers = match numbers.is_empty() {
            true => String::from("none was attached"),
            false => format!("detached from interface {}", numbers.join(", ")),
        };
        let pins = pins.display();
        format!("no daemon runs; removed the pins in {pins}: {numbers}\n")
    };
    print(&text)?;
    Ok(())
}

/// What is in the folder; `error` if nothing is.
fn find(pins: &Path, error: ClientError) -> anyhow::Result<Unattended> {
    match look(pins) {
        Ok(Some(left)) => Ok(left),
        Ok(None) => Err(error.into()),
        Err(cause) => bail!("{error}; what one may have left is not known: {cause}"),
    }
}

fn interfaces(links: &[PinnedLink]) -> Vec<u32> {
    links
        .iter()
        .filter_map(|pinned| pinned.facts.interface)
        .collect()
}

/// The last state, with the counters of this moment.
fn state(left: &Unattended, word: &LastWord) -> Status {
    let counters = left.counters.iter().flatten();
    Status {
        counters: counters
            .map(|(reason, packets)| CounterStatus::new(*reason, *packets))
            .collect(),
        ..word.status.clone()
    }
}

fn in_json(left: &Unattended, word: Option<&LastWord>) -> serde_json::Value {
    let links: Vec<serde_json::Value> = left
        .links
        .iter()
        .map(|pinned| {
            json!({ "interface": pinned.facts.interface, "program": pinned.facts.program })
        })
        .collect();
    json!({
        "daemon": false,
        "last_seen": word.map(|word| word.at),
        "attended_until": word.and_then(|word| word.attended_until),
        "links": links,
        "status": word.map(|word| state(left, word)),
    })
}

/// Until when answers are given (`--max-unattended`): a line.
fn until(word: &LastWord) -> String {
    let now = unix_seconds();
    match word.attended_until {
        None => String::from("without an end in time (--max-unattended never)\n"),
        Some(until) if until <= now => {
            format!(
                "everything passes since {} (--max-unattended)\n",
                ago(until)
            )
        }
        Some(until) => format!(
            "answers go on for {} (--max-unattended)\n",
            duration(until - now)
        ),
    }
}

fn in_words(pins: &Path, left: &Unattended, word: Option<&LastWord>, all: bool) -> String {
    let interfaces = interfaces(&left.links);
    let mut text = match interfaces.is_empty() {
        true => format!("NO DAEMON RUNS, and nothing answers ({})\n", pins.display()),
        false => format!(
            "NO DAEMON RUNS; what one left in {} answers on: on interface {}\n",
            pins.display(),
            interfaces
                .iter()
                .map(u32::to_string)
                .collect::<Vec<_>>()
                .join(", ")
        ),
    };
    text.push_str("`dns-glue run` takes over, `dns-glue stop` detaches\n");
    match word {
        Some(word) => {
            let seen = ago(word.at.min(unix_seconds()));
            if !interfaces.is_empty() {
                text.push_str(&until(word));
            }
            text.push_str(&format!("last seen {seen}; then it was:\n\n"));
            text.push_str(&describe(&state(left, word), all));
        }
        None => text.push_str("the daemon has left no word of itself\n"),
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io;

    /// Neither is the cause of the other.
    #[test]
    fn no_daemon_and_no_folder_are_told_one_after_the_other() {
        let error = ClientError::NotRunning {
            path: "/run/none.sock".into(),
            cause: io::Error::from_raw_os_error(libc::ENOENT),
        };
        let below_a_file = Path::new("/proc/version/pins");
        let Err(error) = find(below_a_file, error) else {
            panic!("a folder below a file");
        };
        assert_eq!(error.chain().count(), 1, "{error:#}");
        assert_eq!(
            error.to_string(),
            "no dns-glue runs with the control socket /run/none.sock: No such file or directory \
             (os error 2); what one may have left is not known: --pins /proc/version/pins: cannot \
             look at it: Not a directory (os error 20)"
        );
    }
}
