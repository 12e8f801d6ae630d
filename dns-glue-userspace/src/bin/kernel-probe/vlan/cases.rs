//! The table of tagged queries: how each is sent, and what becomes of it.

use std::net::IpAddr;

use dns_glue::kernel::AttachMode;

use super::network::{
    CLIENT_ELSEWHERE, CLIENT_IN_BOTH, CLIENT_IN_NINE, CLIENT_IN_THREE, ROUTER, TAG_NINE, TAG_SEVEN,
    UNTAGGED_CLIENT,
};
use crate::program_support::frame::{CLIENT_MAC, CLIENT_V4, CLIENT_V6, Tag};

/// VLAN 7 with the highest priority, and drop eligible.
const TAG_SEVEN_URGENT: Tag = (0x8100, 0xf007);

/// How a query gets on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// With these tags in the frame, as from a card that leaves them there.
    Tagged(&'static [Tag]),
    /// Through the client's interface in VLAN 7, whose tag stays beside the
    /// frame, as from a card that takes it out (`rxvlan on`). `rxvlan` is what
    /// the server's end is set to.
    BesideFrame { rxvlan: bool },
    /// Through the same interface, whose tag is put into the frame (`txvlan
    /// off` on the client's end).
    PutIntoFrame,
}

/// What becomes of a query.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// A reply to this MAC address, with these tags.
    Answered([u8; 6], &'static [Tag]),
    /// It passes for want of a route, untouched; whether the stack has an
    /// interface that takes it in, so that it gets to the server behind.
    NoRoute { arrives: bool },
}

/// A query from this client.
#[derive(Clone, Copy, Debug)]
pub struct Case {
    pub what: &'static str,
    pub client: IpAddr,
    pub way: Way,
    pub outcome: Outcome,
}

fn case(what: &'static str, client: impl Into<IpAddr>, way: Way, outcome: Outcome) -> Case {
    Case {
        what,
        client: client.into(),
        way,
        outcome,
    }
}

/// Under `--reply-via swap`.
pub fn by_swapping(mode: AttachMode) -> Vec<Case> {
    let mut cases = Vec::new();
    for client in [IpAddr::from(CLIENT_V4), CLIENT_V6.into()] {
        let mut push = |what, way, tags| {
            cases.push(case(what, client, way, Outcome::Answered(CLIENT_MAC, tags)));
        };
        push("no tag", Way::Tagged(&[]), &[]);
        for tags in [
            &[TAG_SEVEN][..],
            &[TAG_SEVEN_URGENT],
            &[TAG_NINE],
            &[TAG_NINE, TAG_SEVEN_URGENT],
            // Of a VLAN that the host does not have.
            &[(0x8100, 4094)],
        ] {
            push("a tag in the frame is kept", Way::Tagged(tags), tags);
        }
        push(
            "a tag that is put into the frame is kept",
            Way::PutIntoFrame,
            &[TAG_SEVEN],
        );
        // Generic mode works on the stack's own buffer, which keeps the tag.
        let left: &[Tag] = match mode {
            AttachMode::Native => &[],
            AttachMode::Generic => &[TAG_SEVEN],
        };
        for rxvlan in [true, false] {
            let what = "a tag beside the frame is seen by nobody";
            push(what, Way::BesideFrame { rxvlan }, left);
        }
    }
    cases
}

/// Under `--reply-via fib`.
pub fn by_route() -> Vec<Case> {
    let in_seven = Way::Tagged(&[TAG_SEVEN]);
    let in_both = Way::Tagged(&[TAG_NINE, TAG_SEVEN]);
    let to_router = |tags| Outcome::Answered(ROUTER, tags);
    let passes = Outcome::NoRoute { arrives: true };
    let is_lost = Outcome::NoRoute { arrives: false };
    let mut cases = Vec::new();
    for client in [IpAddr::from(CLIENT_V4), CLIENT_V6.into()] {
        cases.extend([
            case("a VLAN", client, in_seven, to_router(&[TAG_SEVEN])),
            case(
                "a VLAN with a priority",
                client,
                Way::Tagged(&[TAG_SEVEN_URGENT]),
                to_router(&[TAG_SEVEN_URGENT]),
            ),
            case(
                "a tag that is put into the frame",
                client,
                Way::PutIntoFrame,
                to_router(&[TAG_SEVEN]),
            ),
            case("a VLAN, but no tag", client, Way::Tagged(&[]), passes),
            case(
                "a VLAN, and its tag beside the frame",
                client,
                Way::BesideFrame { rxvlan: true },
                passes,
            ),
            case("another VLAN", client, Way::Tagged(&[(0x8100, 8)]), is_lost),
            case(
                "a service VLAN of that number",
                client,
                Way::Tagged(&[(0x88a8, 7)]),
                is_lost,
            ),
        ]);
    }
    cases.extend([
        case("that VLAN in another", CLIENT_V4, in_both, passes),
        case("no VLAN", UNTAGGED_CLIENT, Way::Tagged(&[]), to_router(&[])),
        case("a tag, but no VLAN", UNTAGGED_CLIENT, in_seven, passes),
        case(
            "a service VLAN",
            CLIENT_IN_NINE,
            Way::Tagged(&[TAG_NINE]),
            to_router(&[TAG_NINE]),
        ),
        case(
            "a VLAN of that number",
            CLIENT_IN_NINE,
            Way::Tagged(&[(0x8100, 9)]),
            is_lost,
        ),
        case(
            "a VLAN in a VLAN",
            CLIENT_IN_BOTH,
            in_both,
            to_router(&[TAG_NINE, TAG_SEVEN]),
        ),
        case(
            "half of a VLAN in a VLAN",
            CLIENT_IN_BOTH,
            Way::Tagged(&[TAG_NINE]),
            passes,
        ),
        case("the other half", CLIENT_IN_BOTH, in_seven, passes),
        case("a third VLAN", CLIENT_IN_THREE, in_both, passes),
        case(
            "that VLAN of another interface",
            CLIENT_ELSEWHERE,
            in_seven,
            passes,
        ),
    ]);
    cases
}
