//! Where the records of a message end: enough of a decoder to tell octets
//! apart, by no code that is under test.

/// The offset behind the question.
pub fn question_end(message: &[u8]) -> usize {
    name_end(message, 12) + 4
}

/// The offset behind a name.
fn name_end(message: &[u8], mut at: usize) -> usize {
    loop {
        match message[at] {
            0 => return at + 1,
            length @ 1..=63 => at += 1 + usize::from(length),
            192.. => return at + 2,
            other => panic!("label type {other:#x}"),
        }
    }
}

/// A record's place in a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// 1 for authority, 2 for additional.
    pub section: usize,
    pub rtype: u16,
    /// Offsets from the end of the question.
    pub start: usize,
    pub end: usize,
    /// The owner, as it is encoded.
    pub owner: Vec<u8>,
}

/// The records behind the question, OPT left out.
pub fn places(message: &[u8]) -> Vec<Place> {
    let number = |at: usize| usize::from(u16::from_be_bytes([message[at], message[at + 1]]));
    let base = question_end(message);
    let mut at = base;
    let mut places = Vec::new();
    for section in 0..3 {
        for _ in 0..number(6 + 2 * section) {
            let fixed = name_end(message, at);
            let end = fixed + 10 + number(fixed + 8);
            let rtype = number(fixed) as u16;
            if rtype != 41 {
                places.push(Place {
                    section,
                    rtype,
                    start: at - base,
                    end: end - base,
                    owner: message[at..fixed].to_vec(),
                });
            }
            at = end;
        }
    }
    assert_eq!(at, message.len(), "octets behind the last record");
    places
}
