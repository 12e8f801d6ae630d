//! The question of a query (RFC 1035 4.1.2).

use super::{LabelStarts, Message};
use crate::limits::{
    HEADER_OCTETS, MAX_LABEL_OCTETS, MAX_LABELS, MAX_NAME_OCTETS, QUESTION_FIXED_OCTETS,
};
use crate::reason::Reason;

/// The only class that is answered.
const CLASS_IN: u16 = 1;

/// Where a question ends and what it asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub struct Question {
    /// Octets of QNAME, root label included. Valid values: 1..=255.
    pub name_octets: usize,
    /// Labels of QNAME, root not counted. Valid values: 0..=127.
    pub labels: usize,
    /// QTYPE.
    pub qtype: u16,
}

impl Question {
    /// All zeros: of no query.
    pub const EMPTY: Self = Self {
        name_octets: 0,
        labels: 0,
        qtype: 0,
    };
}

/// Parses the question, and notes where each label of QNAME starts.
///
/// # Errors
///
/// `LabelType` for a pointer or an extended label (octet above 63), `LongName`
/// above 255 octets, `CutShort`, `Class`.
#[inline(always)]
pub fn parse_question(message: &Message<'_>, starts: &mut LabelStarts) -> Result<Question, Reason> {
    let mut offset = 0;
    let mut labels = None;
    for label in 0..=MAX_LABELS {
        let Some(length) = message.octet(HEADER_OCTETS + offset) else {
            return Err(Reason::CutShort);
        };
        let length = length as usize;
        if length == 0 {
            labels = Some(label);
            break;
        }
        if length > MAX_LABEL_OCTETS {
            return Err(Reason::LabelType);
        }
        starts.set(label, offset);
        offset += 1 + length;
        // The root label still has to fit.
        if offset >= MAX_NAME_OCTETS {
            return Err(Reason::LongName);
        }
    }
    // 128 labels would take 256 octets, so the loop ends before that.
    let Some(labels) = labels else {
        return Err(Reason::LongName);
    };
    let name_octets = offset + 1;
    let after_name = HEADER_OCTETS + name_octets;
    if after_name + QUESTION_FIXED_OCTETS > message.octets() {
        return Err(Reason::CutShort);
    }
    let [qtype, class] = message.numbers(after_name);
    if class != CLASS_IN {
        return Err(Reason::Class);
    }
    Ok(Question {
        name_octets,
        labels,
        qtype,
    })
}

#[cfg(test)]
mod tests {
    use super::super::tests::buffer;
    use super::*;
    use std::vec::Vec;

    fn parse(name: &[u8], rest: &[u8]) -> (Result<Question, Reason>, LabelStarts) {
        let mut octets = std::vec![0; HEADER_OCTETS];
        octets.extend_from_slice(name);
        octets.extend_from_slice(rest);
        let mut starts = LabelStarts::EMPTY;
        let question = parse_question(&Message::new(&buffer(&octets), octets.len()), &mut starts);
        (question, starts)
    }

    const A_IN: [u8; 4] = [0, 1, 0, 1];

    #[test]
    fn the_root() {
        let (question, _) = parse(&[0], &A_IN);
        let expected = Question {
            name_octets: 1,
            labels: 0,
            qtype: 1,
        };
        assert_eq!(question, Ok(expected));
    }

    #[test]
    fn labels_of_every_length() {
        for length in 1..=u8::MAX {
            let mut name = std::vec![length];
            name.extend(std::iter::repeat_n(b'x', length as usize));
            name.push(0);
            let (question, _) = parse(&name, &A_IN);
            if length <= 63 {
                assert_eq!(
                    question.map(|question| question.name_octets),
                    Ok(name.len())
                );
            } else {
                assert_eq!(question, Err(Reason::LabelType));
            }
        }
    }

    #[test]
    fn names_up_to_the_limit_and_beyond() {
        for labels in 0..=130usize {
            let mut name: Vec<u8> = std::iter::repeat_n([1, b'x'], labels).flatten().collect();
            name.push(0);
            let (question, starts) = parse(&name, &A_IN);
            if labels <= 127 {
                assert_eq!(question.map(|question| question.labels), Ok(labels));
                for label in 0..labels {
                    assert_eq!(starts.get(label), 2 * label);
                }
            } else {
                assert_eq!(question, Err(Reason::LongName));
            }
        }
    }

    #[test]
    fn cut_short_anywhere() {
        let name = [3, b'w', b'w', b'w', 2, b'n', b'u', 0];
        let mut whole = name.to_vec();
        whole.extend(A_IN);
        for octets in 0..whole.len() {
            let (question, _) = parse(&whole[..octets], &[]);
            assert_eq!(question, Err(Reason::CutShort), "{octets}");
        }
        assert!(parse(&whole, &[]).0.is_ok());
    }

    #[test]
    fn every_class() {
        for class in 0..=u16::MAX {
            let [high, low] = class.to_be_bytes();
            assert_eq!(parse(&[0], &[0, 1, high, low]).0.is_ok(), class == 1);
        }
    }
}
