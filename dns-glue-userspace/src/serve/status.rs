//! What a running daemon tells of itself (`dns-glue status`).

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::{SystemTime, UNIX_EPOCH};

use dns_glue_common::reason::{Action, Reason};
use serde::{Deserialize, Serialize};

use super::behind::BehindStatus;
use crate::report::holdings::ProofCounts;
use crate::zone::inspect::EXPIRES_SOON;

/// The state of a daemon at one moment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Status {
    /// The version of dns-glue.
    pub version: String,
    /// The process.
    pub pid: u32,
    /// Seconds since the program was attached.
    pub uptime_seconds: u64,
    /// The interfaces, in the order of the command line.
    pub interfaces: Vec<InterfaceStatus>,
    /// The service addresses.
    pub addresses: Vec<IpAddr>,
    /// The compiled zones.
    pub zones: Vec<ZoneStatus>,
    /// What the operator chose.
    pub settings: SettingsStatus,
    /// The loaded program.
    pub program: ProgramStatus,
    /// The generation of the zones that it answers from.
    pub generation: GenerationStatus,
    /// The last reload, whatever became of it.
    pub last_reload: Option<ReloadStatus>,
    /// The reload under way, if there is one; older versions did not tell.
    #[serde(default)]
    pub reload_under_way: Option<ReloadUnderWay>,
    /// The server behind; `None` with the built-in one.
    pub behind: Option<BehindStatus>,
    /// Every outcome, zeros included, in the order of the counters' numbers.
    pub counters: Vec<CounterStatus>,
}

/// An interface of the daemon.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct InterfaceStatus {
    /// Its name.
    pub name: String,
    /// Its number.
    pub index: u32,
    /// `native` or `generic`.
    pub mode: String,
    /// Whether the program is on it: false when the interface is gone, or
    /// somebody took the program off.
    pub attached: bool,
    /// Its MTU, octets.
    pub mtu: u32,
    /// Its MAC address.
    pub mac: String,
    /// MAC addresses that are answered for beside its own (`--mac`).
    pub virtual_macs: Vec<String>,
}

/// A compiled zone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ZoneStatus {
    /// Its name, with the final dot.
    pub apex: String,
    /// The serial of its SOA record.
    pub serial: u32,
    /// How it proves that something does not exist: `unsigned`, `NSEC` or
    /// `NSEC3`.
    pub denial: String,
    /// Its delegations.
    pub delegations: u64,
    /// What shows whether their zones are signed.
    pub proofs: ProofCounts,
    /// Names at which it delegates at fault, or by DELEG alone: they are no
    /// delegations here, and queries for them and below pass.
    pub refused: u64,
    /// Those of the delegations whose queries pass, because their names have
    /// a number of labels that the program does not look for.
    pub too_deep: u64,
    /// From when on all proofs in referrals have a valid signature, in seconds
    /// of Unix time; `None` in a zone that is not signed.
    pub signatures_from: Option<u64>,
    /// Until when they have one.
    pub signatures_until: Option<u64>,
    /// The file that it came from.
    pub file: PathBuf,
}

impl ZoneStatus {
    /// What is to be said of the signatures in referrals at a moment, in seconds
    /// of Unix time.
    pub fn signatures_at(&self, now: u64) -> Signatures {
        let Some(until) = self.signatures_until else {
            return Signatures::None;
        };
        let from = self.signatures_from.unwrap_or(0);
        if until <= now {
            Signatures::Expired
        } else if from > now {
            Signatures::NotYetValid {
                seconds: from - now,
            }
        } else {
            Signatures::Valid {
                seconds: until - now,
            }
        }
    }
}

/// The signatures in the referrals of a zone at a moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signatures {
    /// There are none.
    None,
    /// One that is needed becomes valid only in so many seconds.
    NotYetValid {
        /// Seconds until the last does.
        seconds: u64,
    },
    /// All are valid.
    Valid {
        /// Seconds until the first expires.
        seconds: u64,
    },
    /// One has expired.
    Expired,
}

impl Signatures {
    /// Whether nothing is to be warned of for two days.
    pub fn are_valid_for_long(self) -> bool {
        match self {
            Self::None => true,
            Self::Valid { seconds } => seconds > EXPIRES_SOON.into(),
            Self::NotYetValid { .. } | Self::Expired => false,
        }
    }
}

/// What the operator chose.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SettingsStatus {
    /// The UDP port that is served.
    pub port: u16,
    /// Octets of the longest reply.
    pub max_udp: u16,
    /// The name server identifier, `\xNN` for what is not printable ASCII.
    pub nsid: Option<String>,
    /// What `--mode` said.
    pub mode: String,
    /// `ignore` or `pass`.
    pub cookies: String,
    /// Whether queries with a client subnet pass.
    pub pass_ecs: bool,
    /// Whether CD is copied into replies.
    pub copy_cd: bool,
    /// `swap` or `fib`: where replies go.
    pub reply_via: String,
    /// `none` or `embedded`.
    pub fallback: String,
    /// Whether the service addresses were given with `--address`.
    pub addresses_given: bool,
    /// Apexes of zones that the server behind serves too (`--serves`).
    pub serves: Vec<String>,
    /// The folder of the pins; none if they go with the process.
    pub pins: Option<PathBuf>,
    /// Whether a change of the zones' files leads to a reload.
    pub watch: bool,
}

/// A generation of the zones.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GenerationStatus {
    /// Its number: 1 for the zones that the daemon began with.
    pub number: u64,
    /// Since when it answers, in seconds of Unix time.
    pub since: u64,
}

/// What became of a reload.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReloadStatus {
    /// When it ended, in seconds of Unix time.
    pub at: u64,
    /// What asked for it.
    pub asked_by: String,
    /// Whether the zones of the files are the ones that answer.
    pub ok: bool,
    /// What it did, or why it did not.
    pub outcome: String,
}

/// A reload that has not ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReloadUnderWay {
    /// When it began to read the files, in seconds of Unix time.
    pub since: u64,
    /// Who asked for it.
    pub asked_by: String,
}

/// What a daemon leaves word of, for those who ask when it is gone.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LastWord {
    /// When, in seconds of Unix time; renewed about once a minute, and when it
    /// would tell something else of the server behind or of the host.
    pub at: u64,
    /// Until when referrals are given, in seconds of Unix time, if no daemon is
    /// heard of; `None` for ever.
    pub attended_until: Option<u64>,
    /// Its control socket.
    pub control: PathBuf,
    /// The kernel's number of its network namespace, which none has again
    /// until the next boot; older versions did not tell.
    #[serde(default)]
    pub network_namespace: Option<u64>,
    /// Its state then, without the counters.
    pub status: Status,
}

impl LastWord {
    /// The last of those that this version can read.
    pub fn newest(texts: &[String]) -> Option<Self> {
        let words = texts.iter().map(|text| serde_json::from_str::<Self>(text));
        words.flatten().max_by_key(|word| word.at)
    }

    /// Leaves out what the server behind said at each service address.
    pub fn forget_addresses_behind(&mut self) {
        for zone in self.status.behind.iter_mut().flat_map(|one| &mut one.zones) {
            zone.addresses.clear();
        }
    }

    /// Leaves out all that is told zone by zone.
    pub fn forget_zones(&mut self) {
        self.status.zones.clear();
        self.status.behind = None;
        self.status.addresses.truncate(64);
    }
}

/// Seconds of Unix time.
pub fn unix_seconds() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    now.unwrap_or_default().as_secs()
}

/// The loaded program.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProgramStatus {
    /// Its number, as bpftool shows it.
    pub id: u32,
    /// Instructions that the verifier walked through, if the kernel tells.
    pub verified_instructions: Option<u32>,
    /// Octets of machine code.
    pub jited_octets: u32,
    /// Octets of all maps.
    pub map_octets: u64,
    /// Octets of the index alone.
    pub index_octets: u64,
    /// Octets of the pieces alone.
    pub pieces_octets: u64,
}

/// A counter.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CounterStatus {
    /// Its name, which never changes.
    pub name: String,
    /// What is done with such a packet: `answered`, `passed` or `aborted`.
    pub action: String,
    /// Packets since the maps were made: by all generations, and by those of a
    /// daemon that was taken over from.
    pub packets: u64,
    /// What leads there.
    pub meaning: String,
}

impl CounterStatus {
    /// The counter of an outcome.
    pub fn new(reason: Reason, packets: u64) -> Self {
        let action = match reason.action() {
            Action::Transmit => "answered",
            Action::Pass => "passed",
            Action::Abort => "aborted",
        };
        Self {
            name: reason.name().to_owned(),
            action: action.to_owned(),
            packets,
            meaning: reason.meaning().to_owned(),
        }
    }
}

/// A MAC address as it is written: `02:00:00:00:00:01`.
pub fn mac_text(mac: [u8; 6]) -> String {
    let octets = mac.map(|octet| format!("{octet:02x}"));
    octets.join(":")
}

/// Reads a MAC address as [`mac_text`] writes it, in capitals or not.
pub fn parse_mac(text: &str) -> Option<[u8; 6]> {
    let octet = |digits: &str| {
        // What reads numbers takes a sign, and any number of zeros.
        let is_octet = digits.len() <= 2 && !digits.starts_with('+');
        u8::from_str_radix(digits, 16).ok().filter(|_| is_octet)
    };
    let octets: Option<Vec<u8>> = text.split(':').map(octet).collect();
    octets?.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mac_addresses_are_padded() {
        let mac = [2, 0, 0xfc, 0, 0, 0x1f];
        assert_eq!(mac_text(mac), "02:00:fc:00:00:1f");
        assert_eq!(parse_mac(&mac_text(mac)), Some(mac));
        assert_eq!(parse_mac("02:00:fc:00:00"), None);
        assert_eq!(parse_mac("02:00:fc:00:00:1g"), None);
        assert_eq!(parse_mac("02:00:fc:00:00:+1"), None);
        assert_eq!(parse_mac("02:00:fc:00:00:01f"), None);
        assert_eq!(parse_mac("02:00:FC:0:0:1F"), Some(mac));
    }

    /// Of a zone that was read at some time, told at others.
    #[test]
    fn signatures_are_judged_at_the_time_of_the_question() {
        let zone = |signed: Option<(u64, u64)>| ZoneStatus {
            apex: String::from("test."),
            serial: 1,
            denial: String::from("NSEC"),
            delegations: 1,
            proofs: ProofCounts::default(),
            refused: 0,
            too_deep: 0,
            signatures_from: signed.map(|(from, _)| from),
            signatures_until: signed.map(|(_, until)| until),
            file: PathBuf::from("/test.zone"),
        };
        assert_eq!(zone(None).signatures_at(5), Signatures::None);
        let signed = zone(Some((1000, 1_000_000)));
        let long = u64::from(EXPIRES_SOON);
        for (now, due, are_valid_for_long) in [
            (400, Signatures::NotYetValid { seconds: 600 }, false),
            (1000, Signatures::Valid { seconds: 999_000 }, true),
            (
                999_999 - long,
                Signatures::Valid { seconds: long + 1 },
                true,
            ),
            (1_000_000 - long, Signatures::Valid { seconds: long }, false),
            (999_999, Signatures::Valid { seconds: 1 }, false),
            (1_000_000, Signatures::Expired, false),
        ] {
            let signatures = signed.signatures_at(now);
            assert_eq!(signatures, due, "{now}");
            assert_eq!(signatures.are_valid_for_long(), are_valid_for_long, "{now}");
        }
        // Of two RRsets one has ended before the other begins.
        let never = zone(Some((2000, 1000)));
        assert_eq!(never.signatures_at(1500), Signatures::Expired);
        // As an earlier daemon has told it.
        let told = r#"{"apex":"test.","serial":1,"denial":"NSEC","delegations":1,"proofs":PROOFS,
            "refused":0,"too_deep":0,"signatures_until":9,"file":"/test.zone"}"#;
        let proofs = serde_json::to_string(&ProofCounts::default()).expect("JSON");
        let told: ZoneStatus =
            serde_json::from_str(&told.replace("PROOFS", &proofs)).expect("a zone");
        assert_eq!(told.signatures_at(5), Signatures::Valid { seconds: 4 });
    }

    #[test]
    fn every_outcome_has_an_action_and_words() {
        for reason in Reason::ALL {
            let counter = CounterStatus::new(*reason, 7);
            assert!(["answered", "passed", "aborted"].contains(&counter.action.as_str()));
            assert!(!counter.meaning.is_empty());
        }
    }
}
