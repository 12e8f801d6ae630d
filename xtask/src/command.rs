//! Running other programs: shown, checked, and bounded in time where they may
//! hang.

use std::{
    ffi::OsStr,
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail};

use crate::interrupt;

/// Says what the task is about to do.
pub fn say(what: &str) {
    eprintln!("xtask: {what}");
}

/// Shows the command, runs it with our output, and fails if it does.
///
/// # Errors
/// When the program cannot be started or exits with anything but 0.
pub fn run(command: &mut Command) -> Result<()> {
    say(&line(command));
    let status = command
        .stdin(Stdio::null())
        .status()
        .with_context(|| format!("start {}", name(command)))?;
    if !status.success() {
        bail!("{} ended with {status}", line(command));
    }
    Ok(())
}

/// As [`run`], for a command that has something to take down before it ends: a
/// signal that comes to this process is handed on, and the end waited for.
/// [`interrupt::catch`] must have been called.
///
/// # Errors
/// As [`run`].
pub fn run_to_its_end(command: &mut Command) -> Result<()> {
    say(&line(command));
    let mut child = command
        .stdin(Stdio::null())
        .spawn()
        .with_context(|| format!("start {}", name(command)))?;
    let mut is_told = false;
    let status = loop {
        if let Some(status) = child.try_wait().context("ask after a child")? {
            break status;
        }
        if interrupt::seen() && !is_told {
            is_told = true;
            // Of a Ctrl-C it knows already, and a second signal does no harm.
            // SAFETY: our own child, which has not been waited for.
            unsafe { libc::kill(child.id().cast_signed(), libc::SIGTERM) };
        }
        thread::sleep(Duration::from_millis(50));
    };
    if !status.success() {
        bail!("{} ended with {status}", line(command));
    }
    Ok(())
}

/// Runs the command without showing it and returns its standard output.
///
/// # Errors
/// When the program cannot be started, exits with anything but 0 (its standard
/// error is then in the message), or writes something other than UTF-8.
pub fn output(command: &mut Command) -> Result<String> {
    let output = command
        .stdin(Stdio::null())
        .output()
        .with_context(|| format!("start {}", name(command)))?;
    if !output.status.success() {
        let stderr = String::from_utf8_lossy(&output.stderr);
        bail!(
            "{} ended with {}: {}",
            line(command),
            output.status,
            stderr.trim()
        );
    }
    String::from_utf8(output.stdout).with_context(|| format!("read what {} says", name(command)))
}

/// Runs the command in silence and says whether it succeeded in time. One that
/// cannot be started has not.
pub fn succeeds_within(command: &mut Command, limit: Duration) -> bool {
    let child = command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn();
    let Ok(mut child) = child else { return false };
    let deadline = Instant::now() + limit;
    while Instant::now() < deadline {
        match child.try_wait() {
            Ok(Some(status)) => return status.success(),
            Ok(None) => thread::sleep(Duration::from_millis(50)),
            Err(_) => break,
        }
    }
    // Both fail only for a child that has ended by itself meanwhile.
    let _ = child.kill();
    let _ = child.wait();
    false
}

fn name(command: &Command) -> String {
    // The cargo and rustup of a toolchain are long paths: the last part says
    // what they are.
    let program = std::path::Path::new(command.get_program());
    program
        .file_name()
        .unwrap_or(OsStr::new("?"))
        .to_string_lossy()
        .into_owned()
}

/// The command as a person would type it, with the variables that we set.
fn line(command: &Command) -> String {
    let variables = command
        .get_envs()
        .filter_map(|(key, value)| Some((key, value?)))
        .map(|(key, value)| format!("{}={}", key.to_string_lossy(), value.to_string_lossy()));
    let arguments = command
        .get_args()
        .map(|argument| argument.to_string_lossy().into_owned());
    variables
        .chain([name(command)])
        .chain(arguments)
        .collect::<Vec<_>>()
        .join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failure_is_an_error() {
        assert!(output(&mut Command::new("false")).is_err());
        assert!(run(&mut Command::new("false")).is_err());
    }

    #[test]
    fn a_hanging_program_is_given_up() {
        let started = Instant::now();
        assert!(!succeeds_within(
            Command::new("sleep").arg("60"),
            Duration::from_millis(200)
        ));
        assert!(started.elapsed() < Duration::from_secs(10));
        assert!(succeeds_within(
            &mut Command::new("true"),
            Duration::from_secs(10)
        ));
    }

    #[test]
    fn a_command_is_shown_as_typed() {
        let mut command = Command::new("/usr/bin/env");
        command.arg("-i").env("A", "1");
        assert_eq!(line(&command), "A=1 env -i");
    }
}
