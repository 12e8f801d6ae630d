//! What a driver says of its support of XDP: family `netdev` of generic
//! netlink (Linux 6.3).

use std::io;

use rtnetlink::packet_core::{NLM_F_REQUEST, NLMSG_ERROR, NlasIterator};
use rtnetlink::sys::{Socket, SocketAddr, protocols::NETLINK_GENERIC};

use crate::nic::facts::{Untold, XdpFeatures};

/// From linux/genetlink.h: the family that knows the others.
const GENL_ID_CTRL: u16 = 16;
const CTRL_CMD_GETFAMILY: u8 = 3;
const CTRL_ATTR_FAMILY_ID: u16 = 1;
const CTRL_ATTR_FAMILY_NAME: u16 = 2;
/// From linux/netdev.h.
const NETDEV_FAMILY_NAME: &[u8] = b"netdev\0";
const NETDEV_CMD_DEV_GET: u8 = 1;
const NETDEV_A_DEV_IFINDEX: u16 = 1;
const NETDEV_A_DEV_XDP_FEATURES: u16 = 3;

/// Octets of `struct nlmsghdr`, and of `struct genlmsghdr` behind it.
const HEADER_OCTETS: usize = 16;
const GENERIC_HEADER_OCTETS: usize = 4;

/// What XDP programs can do on the interface of that number.
///
/// # Errors
///
/// The kernel's; `ENOENT` if it does not know the family.
pub(super) fn ask(index: u32) -> io::Result<XdpFeatures> {
    let mut socket = Socket::new(NETLINK_GENERIC)?;
    socket.bind_auto()?;
    socket.connect(&SocketAddr::new(0, 0))?;
    let name = (CTRL_ATTR_FAMILY_NAME, NETDEV_FAMILY_NAME);
    let family = exchange(&socket, GENL_ID_CTRL, CTRL_CMD_GETFAMILY, name)?;
    let family = u16::from_ne_bytes(attribute(&family, CTRL_ATTR_FAMILY_ID)?);
    let index = (NETDEV_A_DEV_IFINDEX, &index.to_ne_bytes()[..]);
    let device = exchange(&socket, family, NETDEV_CMD_DEV_GET, index)?;
    let features = attribute(&device, NETDEV_A_DEV_XDP_FEATURES)?;
    Ok(XdpFeatures(u64::from_ne_bytes(features)))
}

/// Why they are not known.
pub(super) fn explain(error: io::Error) -> Untold {
    match error.raw_os_error() {
        Some(libc::ENOENT) => Untold(String::from("the kernel tells from Linux 6.3 on")),
        _ => Untold(format!("the kernel does not tell: {error}")),
    }
}

/// Sends a request with one attribute; the attributes of the answer.
fn exchange(
    socket: &Socket,
    family: u16,
    command: u8,
    (kind, value): (u16, &[u8]),
) -> io::Result<Vec<u8>> {
    let attribute = 4 + value.len();
    let padded = attribute.next_multiple_of(4);
    let octets = HEADER_OCTETS + GENERIC_HEADER_OCTETS + padded;
    let mut request = Vec::with_capacity(octets);
    // Length, type, flags, sequence number, port.
    request.extend((octets as u32).to_ne_bytes());
    request.extend(family.to_ne_bytes());
    request.extend(NLM_F_REQUEST.to_ne_bytes());
    request.extend([0; 8]);
    // Command, version, reserved.
    request.extend([command, 1, 0, 0]);
    request.extend((attribute as u16).to_ne_bytes());
    request.extend(kind.to_ne_bytes());
    request.extend(value);
    request.resize(octets, 0);
    socket.send(&request, 0)?;
    let (answer, _) = socket.recv_from_full()?;
    attributes_of(&answer).map(<[u8]>::to_vec)
}

/// The attributes of a message, or the error that it is.
fn attributes_of(message: &[u8]) -> io::Result<&[u8]> {
    let (header, rest) = message
        .split_at_checked(HEADER_OCTETS)
        .ok_or(io::ErrorKind::UnexpectedEof)?;
    if header[4..6] == NLMSG_ERROR.to_ne_bytes() {
        let number = rest.first_chunk().ok_or(io::ErrorKind::UnexpectedEof)?;
        return Err(io::Error::from_raw_os_error(-i32::from_ne_bytes(*number)));
    }
    rest.get(GENERIC_HEADER_OCTETS..)
        .ok_or(io::ErrorKind::UnexpectedEof.into())
}

/// The value of the attribute of that kind.
fn attribute<const N: usize>(attributes: &[u8], kind: u16) -> io::Result<[u8; N]> {
    let found = NlasIterator::new(attributes)
        .filter_map(Result::ok)
        .find(|attribute| attribute.kind() == kind);
    let found = found.ok_or(io::ErrorKind::NotFound)?;
    let value = found.value().try_into();
    value.map_err(|_| io::ErrorKind::InvalidData.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_is_an_error() {
        let mut message = vec![0; 20];
        message[4..6].copy_from_slice(&NLMSG_ERROR.to_ne_bytes());
        message[16..].copy_from_slice(&(-libc::ENOENT).to_ne_bytes());
        let error = attributes_of(&message).expect_err("it is one");
        assert_eq!(error.raw_os_error(), Some(libc::ENOENT));
        assert!(explain(error).0.contains("6.3"));
        attributes_of(&message[..10]).expect_err("too short");
    }

    #[test]
    fn an_attribute_is_found_by_its_kind_and_length() {
        let attributes = [5, 0, 1, 0, 7, 0, 0, 0, 6, 0, 2, 0, 1, 2, 0, 0];
        assert_eq!(attribute(&attributes, 2).expect("it is there"), [1, 2]);
        attribute::<4>(&attributes, 2).expect_err("of another length");
        attribute::<1>(&attributes, 3).expect_err("not there");
    }
}
