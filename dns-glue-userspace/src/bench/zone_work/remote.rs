//! How each program is told that its zone file is a new one: by the command
//! that its operators use, over a socket in the folder of its configuration.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use data_encoding::BASE64;

use crate::compare::Server;
use crate::testbed::hosts::Hosts;
use crate::testbed::needs::installed;
use crate::zone::source::ZoneSource;

/// A command, and its arguments.
#[derive(Clone, Debug)]
pub struct Reload(Vec<OsString>);

impl Reload {
    /// `dns-glue reload`.
    #[must_use]
    pub fn of_dns_glue(control: &Path, binaries: &Path) -> Self {
        let program = binaries.join("dns-glue").into_os_string();
        Self(vec![
            program,
            "reload".into(),
            "--control".into(),
            control.into(),
        ])
    }

    /// That of a server whose configuration `text` is; it is completed by what
    /// the command needs.
    ///
    /// # Errors
    ///
    /// The command is not installed, or there is no randomness for a key.
    pub fn of_server(
        server: Server,
        zone: &ZoneSource,
        folder: &Path,
        text: &mut String,
    ) -> Result<Self> {
        let (program, option, value, verb) = match server {
            // A socket in the folder for what runs is its default.
            Server::Knot => ("knotc", "-s", folder.join("knot.sock"), "zone-reload"),
            Server::Nsd => {
                over_socket(&folder.join("nsd.sock"), text);
                ("nsd-control", "-c", folder.join("server.conf"), "reload")
            }
            Server::Bind => ("rndc", "-c", over_loopback(folder, text)?, "reload"),
        };
        let path = installed(program).with_context(|| format!("{program} is not installed"))?;
        let apex = zone.apex.fmt_with_dot().to_string();
        Ok(Self(vec![
            path.into_os_string(),
            option.into(),
            value.into_os_string(),
            verb.into(),
            apex.into(),
        ]))
    }

    /// Runs it on the server's host.
    ///
    /// # Errors
    ///
    /// It cannot be started or fails.
    pub fn run(&self, hosts: &Hosts) -> Result<()> {
        let (program, arguments) = self.0.split_first().context("a command has a program")?;
        let mut command = Command::new(program);
        command.args(arguments);
        hosts.server().confine(&mut command)?;
        let output = command.output();
        let output = output.with_context(|| format!("start {}", program.display()))?;
        let told = [output.stdout, output.stderr].concat();
        ensure!(
            output.status.success(),
            "{} ended with {}: {}",
            program.display(),
            output.status,
            String::from_utf8_lossy(&told).trim()
        );
        Ok(())
    }
}

/// NSD takes commands from whoever may write to the socket.
fn over_socket(socket: &Path, text: &mut String) {
    let enabled = format!(
        "control-enable: yes\n    control-interface: \"{}\"",
        socket.display()
    );
    *text = text.replace("control-enable: no", &enabled);
}

/// BIND has no Unix sockets for this: it listens to the loopback interface of
/// its host, with a key of its own.
fn over_loopback(folder: &Path, text: &mut String) -> Result<PathBuf> {
    let mut secret = [0; 32];
    let drawn = getrandom::fill(&mut secret);
    drawn.map_err(|error| anyhow::anyhow!("draw a key: {error}"))?;
    let secret = BASE64.encode(&secret);
    let key = format!("key bench {{ algorithm hmac-sha256; secret \"{secret}\"; }};\n");
    let controls = "controls { inet 127.0.0.1 port 953 allow { 127.0.0.1; } keys { bench; }; };";
    *text = key.clone() + &text.replace("controls { };", controls);
    let file = folder.join("rndc.conf");
    let options = "options { default-key bench; default-server 127.0.0.1; default-port 953; };\n";
    fs::write(&file, key + options).with_context(|| format!("write {}", file.display()))?;
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn configurations_are_completed() {
        let mut text = "remote-control:\n    control-enable: no\n".to_owned();
        over_socket(Path::new("/here/nsd.sock"), &mut text);
        let expected = "remote-control:\n    control-enable: yes\n    \
                        control-interface: \"/here/nsd.sock\"\n";
        assert_eq!(text, expected);

        let folder = std::env::temp_dir().join(format!("dns-glue-remote-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let mut text = "controls { };\n".to_owned();
        let file = over_loopback(&folder, &mut text).unwrap();
        let client = fs::read_to_string(file).unwrap();
        fs::remove_dir_all(&folder).unwrap();
        // Both sides have the same key.
        let (key, rest) = text.split_once('\n').unwrap();
        assert!(key.starts_with("key bench { algorithm hmac-sha256; secret \""));
        assert!(client.starts_with(key), "{client}");
        assert!(
            rest.starts_with("controls { inet 127.0.0.1 port 953 "),
            "{rest}"
        );
    }
}
