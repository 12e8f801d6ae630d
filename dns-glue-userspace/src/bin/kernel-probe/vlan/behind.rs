//! The server behind: it only takes queries in.

use std::io;
use std::net::{Ipv6Addr, UdpSocket};

use anyhow::{Context as _, Result};

use crate::pair::PATIENCE;

/// A socket at the port of the service, of all addresses of the host.
pub struct Behind(UdpSocket);

impl Behind {
    /// Opens it.
    ///
    /// # Errors
    ///
    /// The port is taken.
    pub fn open() -> Result<Self> {
        let socket = UdpSocket::bind((Ipv6Addr::UNSPECIFIED, 53)).context("listen on port 53")?;
        socket.set_read_timeout(Some(PATIENCE))?;
        Ok(Self(socket))
    }

    /// The next query, for which it waits if one is to come.
    pub fn receive(&self, comes: bool) -> Option<Vec<u8>> {
        self.0.set_nonblocking(!comes).expect("a socket");
        let mut message = [0; 512];
        match self.0.recv(&mut message) {
            Ok(octets) => Some(message[..octets].to_vec()),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => None,
            Err(error) => panic!("the server behind receives nothing: {error}"),
        }
    }

    /// A query that has come already.
    pub fn receive_waiting(&self) -> Option<Vec<u8>> {
        self.receive(false)
    }
}
