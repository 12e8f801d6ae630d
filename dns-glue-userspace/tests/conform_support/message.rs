//! Where the question of a message ends, by no code that is under test.

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
