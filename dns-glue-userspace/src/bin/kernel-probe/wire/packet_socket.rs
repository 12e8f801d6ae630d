//! Whole frames through an interface (packet(7)).

use std::fs::File;
use std::io::{self, Read as _, Write as _};
use std::mem;
use std::os::fd::{AsRawFd as _, FromRawFd as _, OwnedFd};
use std::time::{Duration, Instant};

/// From linux/if_packet.h: what the interface sends is not received.
const PACKET_IGNORE_OUTGOING: libc::c_int = 23;
/// More than any frame of an interface with an MTU of 1500 has.
const MAX_FRAME_OCTETS: usize = 2048;

/// A socket that sends and receives the frames of one interface.
pub struct PacketSocket {
    socket: File,
    patience: Duration,
}

impl PacketSocket {
    /// Opens one for the interface of that number. To receive a frame takes
    /// `patience` at most, which is not nothing.
    ///
    /// # Errors
    ///
    /// The caller may not (CAP_NET_RAW), or there is no such interface.
    pub fn open(interface: u32, patience: Duration) -> io::Result<Self> {
        // SAFETY: socket(2) takes numbers. Of protocol 0 it receives nothing
        // until it is bound.
        let descriptor = unsafe { libc::socket(libc::AF_PACKET, libc::SOCK_RAW, 0) };
        if descriptor < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: the descriptor was just opened, and nobody else has it.
        let socket = unsafe { OwnedFd::from_raw_fd(descriptor) };
        let ignore: libc::c_int = 1;
        set_option(&socket, libc::SOL_PACKET, PACKET_IGNORE_OUTGOING, &ignore)?;
        let timeout = libc::timeval {
            tv_sec: patience.as_secs().cast_signed(),
            tv_usec: patience.subsec_micros().into(),
        };
        set_option(&socket, libc::SOL_SOCKET, libc::SO_RCVTIMEO, &timeout)?;
        bind(&socket, interface)?;
        Ok(Self {
            socket: File::from(socket),
            patience,
        })
    }

    /// Sends a frame.
    ///
    /// # Errors
    ///
    /// The interface does not take it.
    pub fn send(&mut self, frame: &[u8]) -> io::Result<()> {
        self.socket.write_all(frame)
    }

    /// The next frame that is for a MAC address.
    ///
    /// # Errors
    ///
    /// None comes in time.
    pub fn receive(&mut self, mac: [u8; 6]) -> io::Result<Vec<u8>> {
        let deadline = Instant::now() + self.patience;
        let mut frame = [0; MAX_FRAME_OCTETS];
        while Instant::now() < deadline {
            let octets = self.socket.read(&mut frame)?;
            let frame = &frame[..octets];
            if frame.starts_with(&mac) {
                return Ok(frame.to_vec());
            }
        }
        Err(io::ErrorKind::TimedOut.into())
    }
}

/// Sets an option whose value is a plain C type.
fn set_option<T>(
    socket: &OwnedFd,
    level: libc::c_int,
    option: libc::c_int,
    value: &T,
) -> io::Result<()> {
    // SAFETY: the pointer leads to a value of the size that is given.
    let result = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            level,
            option,
            (&raw const *value).cast(),
            size_of::<T>() as libc::socklen_t,
        )
    };
    if result == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}

/// Binds to every protocol of an interface.
fn bind(socket: &OwnedFd, interface: u32) -> io::Result<()> {
    // SAFETY: a sockaddr_ll is numbers, for which zeros are valid.
    let mut address: libc::sockaddr_ll = unsafe { mem::zeroed() };
    address.sll_family = libc::AF_PACKET as u16;
    address.sll_protocol = (libc::ETH_P_ALL as u16).to_be();
    address.sll_ifindex = interface.cast_signed();
    // SAFETY: the pointer leads to an address of the size that is given.
    let result = unsafe {
        libc::bind(
            socket.as_raw_fd(),
            (&raw const address).cast(),
            size_of_val(&address) as libc::socklen_t,
        )
    };
    if result == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}
