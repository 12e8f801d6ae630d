//! Frames sent and received as they are, whatever a host's stack would say.

use std::ffi::CString;
use std::fs::File;
use std::io::{self, Read as _, Write as _};
use std::mem;
use std::os::fd::{AsRawFd as _, FromRawFd as _};
use std::time::{Duration, Instant};

/// A packet socket on one interface (packet(7)).
pub struct PacketSocket(File);

impl PacketSocket {
    /// On the interface of that name, of this thread's network namespace.
    pub fn open(interface: &str) -> Self {
        let name = CString::new(interface).expect("a name");
        // SAFETY: a string that ends in a zero.
        let index = unsafe { libc::if_nametoindex(name.as_ptr()) };
        assert_ne!(index, 0, "{interface}: {}", io::Error::last_os_error());
        let all = (libc::ETH_P_ALL as u16).to_be();
        // SAFETY: only numbers are passed.
        let socket = unsafe {
            let kind = libc::SOCK_RAW | libc::SOCK_CLOEXEC;
            libc::socket(libc::AF_PACKET, kind, i32::from(all))
        };
        assert!(socket >= 0, "{}", io::Error::last_os_error());
        // SAFETY: nobody else has the descriptor.
        let socket = unsafe { File::from_raw_fd(socket) };
        // SAFETY: zeros are a valid value of the type.
        let mut address: libc::sockaddr_ll = unsafe { mem::zeroed() };
        address.sll_family = libc::AF_PACKET as u16;
        address.sll_protocol = all;
        address.sll_ifindex = index.cast_signed();
        // SAFETY: the address is valid for as many octets.
        let bound = unsafe {
            let octets = size_of_val(&address) as libc::socklen_t;
            libc::bind(socket.as_raw_fd(), (&raw const address).cast(), octets)
        };
        assert_eq!(bound, 0, "{}", io::Error::last_os_error());
        let patience = libc::timeval {
            tv_sec: 0,
            tv_usec: 500_000,
        };
        // SAFETY: the value is valid for as many octets.
        let set = unsafe {
            libc::setsockopt(
                socket.as_raw_fd(),
                libc::SOL_SOCKET,
                libc::SO_RCVTIMEO,
                (&raw const patience).cast(),
                size_of_val(&patience) as libc::socklen_t,
            )
        };
        assert_eq!(set, 0, "{}", io::Error::last_os_error());
        Self(socket)
    }

    /// Sends a frame, and returns the next one to `mac`, if there is one soon.
    pub fn exchange(&mut self, frame: &[u8], mac: [u8; 6]) -> Option<Vec<u8>> {
        self.0.write_all(frame).expect("a frame is sent");
        let start = Instant::now();
        let mut octets = [0; 4096];
        while start.elapsed() < Duration::from_millis(500) {
            let Ok(length) = self.0.read(&mut octets) else {
                return None;
            };
            let received = &octets[..length];
            if received.starts_with(&mac) {
                return Some(received.to_vec());
            }
        }
        None
    }
}
