//! Sockets that ask servers.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::os::fd::AsRawFd as _;

/// Octets that wait in a socket: a whole window of long replies.
const SOCKET_OCTETS: libc::c_int = 4 << 20;

/// A socket that replies from `server` alone reach, many at a time, in the
/// network namespace of the calling thread.
///
/// # Errors
///
/// There is no route to the server, or no socket.
pub fn open(server: SocketAddr) -> io::Result<UdpSocket> {
    let any: IpAddr = match server {
        SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        SocketAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    };
    let socket = UdpSocket::bind((any, 0))?;
    let octets = SOCKET_OCTETS;
    // SAFETY: the pointer leads to a c_int, whose size is given.
    unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_RCVBUFFORCE,
            (&raw const octets).cast(),
            size_of_val(&octets) as libc::socklen_t,
        );
    }
    // Connected: the kernel takes replies from the server's address only.
    socket.connect(server)?;
    Ok(socket)
}
