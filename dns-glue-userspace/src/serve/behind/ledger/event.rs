//! What an operator is told of the server behind when it changes.

use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

use domain::base::Name;

use super::super::list_zones;
use super::super::steady::Turn;

/// What is asked about a zone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Question {
    /// The SOA record, over UDP.
    Udp,
    /// The SOA record, over TCP.
    Tcp,
    /// A name that is not below any delegation.
    Miss,
    /// A delegated name.
    Referral,
}

impl Question {
    /// All of them.
    pub(super) const ALL: [Self; 4] = [Self::Udp, Self::Tcp, Self::Miss, Self::Referral];
}

impl fmt::Display for Question {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Udp => "over UDP",
            Self::Tcp => "over TCP",
            Self::Miss => "for a name that does not exist",
            Self::Referral => "for a delegated name",
        })
    }
}

/// A change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A question is not answered as it should be, or is again.
    Turned {
        /// The service address.
        address: IpAddr,
        /// The question.
        question: Question,
        /// Which of the two.
        turn: Turn,
        /// The zones about which it is.
        zones: Vec<Name<Vec<u8>>>,
    },
    /// The serials differ.
    Differs {
        /// The zone.
        zone: Name<Vec<u8>>,
        /// That of the program.
        ours: u32,
        /// That of the server behind.
        theirs: u32,
    },
    /// The serials are the same again.
    Agrees {
        /// The zone.
        zone: Name<Vec<u8>>,
        /// The serial.
        serial: u32,
        /// For how long they differed.
        differed: Duration,
    },
}

impl Event {
    /// How much it matters.
    pub fn level(&self) -> log::Level {
        match self {
            Self::Turned {
                turn: Turn::Fails(_),
                ..
            } => log::Level::Warn,
            Self::Turned { .. } | Self::Differs { .. } | Self::Agrees { .. } => log::Level::Info,
        }
    }

    /// Whether two differ by their zones only.
    fn is_same_for_other_zones(&self, other: &Self) -> bool {
        let key = |event: &Self| match event {
            Self::Turned {
                address,
                question,
                turn,
                zones: _,
            } => Some((*address, *question, turn.clone())),
            Self::Differs { .. } | Self::Agrees { .. } => None,
        };
        key(self).is_some() && key(self) == key(other)
    }
}

/// Adds an event to others: what happens to many zones at once is told once.
pub(super) fn add(events: &mut Vec<Event>, event: Event) {
    let same = events
        .iter_mut()
        .find(|other| other.is_same_for_other_zones(&event));
    if let Some(Event::Turned { zones, .. }) = same
        && let Event::Turned { zones: others, .. } = &event
    {
        zones.extend_from_slice(others);
    } else {
        events.push(event);
    }
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Turned {
                address,
                question,
                turn: Turn::Fails(problem),
                zones,
            } => {
                let how = if problem.is_silence() {
                    "does not answer"
                } else {
                    "answers wrongly"
                };
                let zones = list_zones(zones);
                write!(
                    f,
                    "the server behind {how} at {address} {question}: {problem} ({zones})"
                )
            }
            Self::Turned {
                address,
                question,
                turn: Turn::Works(failed),
                zones,
            } => write!(
                f,
                "the server behind answers at {address} {question} again, after {} ({})",
                seconds(*failed),
                list_zones(zones)
            ),
            Self::Differs { zone, ours, theirs } => write!(
                f,
                "{}: the server behind has serial {theirs}, the program answers from {ours}",
                zone.fmt_with_dot()
            ),
            Self::Agrees {
                zone,
                serial,
                differed,
            } => write!(
                f,
                "{}: the server behind and the program both have serial {serial}, after {}",
                zone.fmt_with_dot(),
                seconds(*differed)
            ),
        }
    }
}

/// Whole seconds, as they are written on the command line: `1m 30s`.
fn seconds(duration: Duration) -> humantime::FormattedDuration {
    humantime::format_duration(Duration::from_secs(duration.as_secs()))
}
