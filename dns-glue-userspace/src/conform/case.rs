//! One query of the matrix, and the line that repeats it.

use std::fmt;
use std::str::FromStr;

use anyhow::{Context as _, Error, ensure};
use domain::base::Name;

use super::client::Family;
use super::frame::{Path, Tag};
use crate::compare::reply::flag;

/// The EtherTypes of VLAN tags, the outer one first, with their control
/// information: numbers 7 and 42, priorities 3 and 5.
const TAGS: [Tag; 2] = [(0x88a8, 0x6007), (0x8100, 0xa02a)];
/// Frames on a wire are no shorter.
const SHORTEST: usize = 60;

/// A query.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Case {
    /// QNAME in wire form.
    pub name: Vec<u8>,
    /// QTYPE.
    pub qtype: u16,
    /// The UDP size of its OPT record.
    pub size: Option<u16>,
    /// DO, if there is an OPT record.
    pub dnssec: bool,
    /// CD.
    pub cd: bool,
    /// RD.
    pub rd: bool,
    /// The IP version.
    pub family: Family,
    /// VLAN tags of its frame, 0 to 2.
    pub tags: usize,
}

impl Case {
    /// The message.
    pub fn message(&self, id: u16) -> Vec<u8> {
        let flags = if self.rd { flag::RD } else { 0 } | if self.cd { flag::CD } else { 0 };
        let mut octets = Vec::with_capacity(12 + self.name.len() + 4 + 11);
        octets.extend(id.to_be_bytes());
        octets.extend(flags.to_be_bytes());
        octets.extend([0, 1, 0, 0, 0, 0, 0, u8::from(self.size.is_some())]);
        octets.extend(&self.name);
        octets.extend(self.qtype.to_be_bytes());
        octets.extend([0, 1]);
        if let Some(size) = self.size {
            octets.extend([0, 0, 41]);
            octets.extend(size.to_be_bytes());
            octets.extend([0, 0, if self.dnssec { 0x80 } else { 0 }, 0, 0, 0]);
        }
        octets
    }

    /// How its frame travels.
    pub fn path(&self) -> Path {
        let path = match self.family {
            Family::V4 => Path::v4(),
            Family::V6 => Path::v6(),
        };
        path.tagged(&TAGS[TAGS.len() - self.tags..])
            .padded(SHORTEST)
    }
}

impl fmt::Display for Case {
    /// `NAME/TYPE/SIZE/FLAGS/FAMILY/TAGS`, the name's octets in hexadecimal.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for octet in &self.name {
            write!(f, "{octet:02x}")?;
        }
        write!(f, "/{}/", self.qtype)?;
        match self.size {
            None => write!(f, "none/")?,
            Some(size) => write!(f, "{size}/")?,
        }
        let flags = [(self.dnssec, "do"), (self.cd, "cd"), (self.rd, "rd")];
        let flags: Vec<&str> = flags
            .iter()
            .filter_map(|(is_set, name)| is_set.then_some(*name))
            .collect();
        let family = match self.family {
            Family::V4 => 4,
            Family::V6 => 6,
        };
        write!(f, "{}/{family}/{}", flags.join("+"), self.tags)
    }
}

impl FromStr for Case {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let fields: Vec<&str> = text.split('/').collect();
        let [name, qtype, size, flags, family, tags] = fields[..] else {
            anyhow::bail!("NAME/TYPE/SIZE/FLAGS/FAMILY/TAGS is expected");
        };
        let octets: Result<Vec<u8>, _> = name
            .as_bytes()
            .chunks(2)
            .map(|pair| u8::from_str_radix(std::str::from_utf8(pair)?, 16).map_err(Error::from))
            .collect();
        let name = octets.context("the name in hexadecimal")?;
        Name::from_slice(&name).context("the name")?;
        let flags: Vec<&str> = flags.split('+').collect();
        let tags = tags.parse().context("the VLAN tags")?;
        ensure!(tags <= TAGS.len(), "at most two VLAN tags");
        Ok(Self {
            name,
            qtype: qtype.parse().context("the type")?,
            size: match size {
                "none" => None,
                size => Some(size.parse().context("the size")?),
            },
            dnssec: flags.contains(&"do"),
            cd: flags.contains(&"cd"),
            rd: flags.contains(&"rd"),
            family: match family {
                "4" => Family::V4,
                "6" => Family::V6,
                _ => anyhow::bail!("family 4 or 6"),
            },
            tags,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn its_line_repeats_it() {
        let case = Case {
            name: b"\x03a.\xff\x02nu\x00".to_vec(),
            qtype: 65_280,
            size: Some(1232),
            dnssec: true,
            cd: false,
            rd: true,
            family: Family::V6,
            tags: 2,
        };
        let line = case.to_string();
        assert_eq!(line, "03612eff026e7500/65280/1232/do+rd/6/2");
        assert_eq!(line.parse::<Case>().expect("a case"), case);
        let plain = Case {
            size: None,
            dnssec: false,
            rd: false,
            ..case
        };
        assert_eq!(plain.to_string().parse::<Case>().expect("a case"), plain);
        assert!("0361/1/none//4/0".parse::<Case>().is_err(), "no whole name");
    }

    #[test]
    fn a_message_octet_by_octet() {
        let case: Case = "016100/1/4096/do+cd/4/0".parse().expect("a case");
        assert_eq!(
            case.message(7),
            *b"\0\x07\0\x10\0\x01\0\0\0\0\0\x01\x01a\0\0\x01\0\x01\0\0\x29\x10\0\0\0\x80\0\0\0"
        );
    }
}
