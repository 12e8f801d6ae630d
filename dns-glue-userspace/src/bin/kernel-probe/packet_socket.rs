//! Whole frames through an interface (packet(7)).
//!
//! The kernel takes the outermost VLAN tag out of a frame before a packet
//! socket gets it, and tells it beside the frame: here it is put back.

use std::fs::File;
use std::io::{self, Write as _};
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
        let tell_tags: libc::c_int = 1;
        set_option(&socket, libc::SOL_PACKET, libc::PACKET_AUXDATA, &tell_tags)?;
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

    /// The next frame that is for one, not for a group.
    ///
    /// # Errors
    ///
    /// None comes in time.
    pub fn receive(&mut self) -> io::Result<Vec<u8>> {
        let deadline = Instant::now() + self.patience;
        while Instant::now() < deadline {
            if let Some(frame) = self.take(0)? {
                return Ok(frame);
            }
        }
        Err(io::ErrorKind::TimedOut.into())
    }

    /// A frame that is for one, not for a group, and has come already.
    ///
    /// # Errors
    ///
    /// A system call failed.
    pub fn receive_waiting(&mut self) -> io::Result<Option<Vec<u8>>> {
        loop {
            match self.take(libc::MSG_DONTWAIT) {
                Ok(Some(frame)) => return Ok(Some(frame)),
                Ok(None) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(None),
                Err(error) => return Err(error),
            }
        }
    }

    /// Takes a frame; `None` if it was for a group.
    fn take(&mut self, flags: libc::c_int) -> io::Result<Option<Vec<u8>>> {
        let mut frame = [0; MAX_FRAME_OCTETS];
        let (octets, tag) = receive_with_tag(&self.socket, &mut frame, flags)?;
        let (addresses, rest) = frame[..octets]
            .split_at_checked(12)
            .ok_or(io::ErrorKind::InvalidData)?;
        let is_for_one = addresses[0] & 1 == 0;
        let tag = tag.as_ref().map_or(&[][..], |tag| tag);
        Ok(is_for_one.then(|| [addresses, tag, rest].concat()))
    }
}

/// Receives a frame and what the kernel tells of a tag that was in it, as it
/// was there.
fn receive_with_tag(
    socket: &File,
    frame: &mut [u8],
    flags: libc::c_int,
) -> io::Result<(usize, Option<[u8; 4]>)> {
    // In units that are aligned as the header of a control message must be.
    let mut control = [0_u64; 8];
    let mut part = libc::iovec {
        iov_base: frame.as_mut_ptr().cast(),
        iov_len: frame.len(),
    };
    // SAFETY: a msghdr is numbers and pointers, for which zeros are valid.
    let mut message: libc::msghdr = unsafe { mem::zeroed() };
    message.msg_iov = &raw mut part;
    message.msg_iovlen = 1;
    message.msg_control = control.as_mut_ptr().cast();
    message.msg_controllen = size_of_val(&control);
    // SAFETY: the pointers in the message lead to places of the sizes beside
    // them, all of which live through the call.
    let octets = unsafe { libc::recvmsg(socket.as_raw_fd(), &raw mut message, flags) };
    let octets = usize::try_from(octets).map_err(|_| io::Error::last_os_error())?;
    Ok((octets, tag_beside(&message)))
}

/// The tag of which a message tells that was received with `PACKET_AUXDATA`.
fn tag_beside(message: &libc::msghdr) -> Option<[u8; 4]> {
    // SAFETY: the message is as recvmsg(2) left it, and its control octets are
    // there; it is the only thing that the kernel tells this socket.
    let header = unsafe { libc::CMSG_FIRSTHDR(message).as_ref() }?;
    if (header.cmsg_level, header.cmsg_type) != (libc::SOL_PACKET, libc::PACKET_AUXDATA) {
        return None;
    }
    // SAFETY: behind such a header the kernel has put a tpacket_auxdata, which
    // may lie at any address here.
    let told = unsafe {
        libc::CMSG_DATA(header)
            .cast::<libc::tpacket_auxdata>()
            .read_unaligned()
    };
    let whole = libc::TP_STATUS_VLAN_VALID | libc::TP_STATUS_VLAN_TPID_VALID;
    (told.tp_status & whole == whole).then(|| {
        let [[a, b], [c, d]] = [told.tp_vlan_tpid, told.tp_vlan_tci].map(u16::to_be_bytes);
        [a, b, c, d]
    })
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
