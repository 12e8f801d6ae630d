//! The canonical order of names (RFC 4034 section 6.1), on wire-format octets.
//!
//! Sorting and searching millions of owner names spends nearly all its time
//! here, so the comparison looks at each label once and allocates nothing.

use std::cmp::Ordering;

/// Labels of a name of 255 octets at most, the root's included.
const MAX_LABELS: usize = 128;

/// Where each label of a name starts, the root label left out.
struct LabelStarts {
    starts: [u8; MAX_LABELS],
    count: usize,
}

impl LabelStarts {
    /// Walks the labels of `name`, a valid uncompressed name.
    fn of(name: &[u8]) -> Self {
        let mut starts = [0; MAX_LABELS];
        let mut count = 0;
        let mut at = 0;
        while name[at] != 0 {
            starts[count] = u8::try_from(at).expect("a valid name is at most 255 octets long");
            count += 1;
            at += 1 + usize::from(name[at]);
        }
        Self { starts, count }
    }
}

/// Octets of the label whose length octet is at `start`.
fn label(name: &[u8], start: u8) -> &[u8] {
    let start = usize::from(start);
    let length = usize::from(name[start]);
    &name[start + 1..start + 1 + length]
}

/// Compares octet strings as RFC 4034 section 6.1 compares labels: as unsigned
/// octets, upper-case ASCII letters as their lower-case ones, absence first.
fn compare_folded(left: &[u8], right: &[u8]) -> Ordering {
    let left = left.iter().map(u8::to_ascii_lowercase);
    left.cmp(right.iter().map(u8::to_ascii_lowercase))
}

/// Compares two names in the canonical order of RFC 4034 section 6.1.
///
/// Both must be valid, uncompressed wire-format names.
pub(crate) fn compare(left: &[u8], right: &[u8]) -> Ordering {
    let left_labels = LabelStarts::of(left);
    let right_labels = LabelStarts::of(right);
    let common = left_labels.count.min(right_labels.count);
    for back in 1..=common {
        let ordering = compare_folded(
            label(left, left_labels.starts[left_labels.count - back]),
            label(right, right_labels.starts[right_labels.count - back]),
        );
        if ordering != Ordering::Equal {
            return ordering;
        }
    }
    left_labels.count.cmp(&right_labels.count)
}

/// Whether `name` is `ancestor` or lies below it.
///
/// Both must be valid, uncompressed wire-format names.
pub(crate) fn is_at_or_below(name: &[u8], ancestor: &[u8]) -> bool {
    let Some(start) = name.len().checked_sub(ancestor.len()) else {
        return false;
    };
    if !name[start..].eq_ignore_ascii_case(ancestor) {
        return false;
    }
    // The tail must begin at a label, not in the middle of one.
    let mut at = 0;
    while at < start {
        at += 1 + usize::from(name[at]);
    }
    at == start
}

/// Whether `name` lies below `ancestor`, not at it.
pub(crate) fn is_below(name: &[u8], ancestor: &[u8]) -> bool {
    name.len() > ancestor.len() && is_at_or_below(name, ancestor)
}

/// The parent of `name`, or `None` for the root.
pub(crate) fn parent(name: &[u8]) -> Option<&[u8]> {
    match name[0] {
        0 => None,
        length => Some(&name[1 + usize::from(length)..]),
    }
}

/// Whether the first label of `name` is the wildcard label (RFC 4592 2.1.1).
pub(crate) fn is_wildcard(name: &[u8]) -> bool {
    name.starts_with(b"\x01*")
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::base::Name;
    use domain::base::cmp::CanonicalOrd;
    use proptest::prelude::*;

    fn name(text: &str) -> Vec<u8> {
        Name::vec_from_str(text)
            .expect("a valid name")
            .into_octets()
    }

    #[test]
    fn order_of_rfc_4034_section_6_1() {
        let sorted = [
            "example.",
            "a.example.",
            "yljkjljk.a.example.",
            "Z.a.example.",
            "zABC.a.EXAMPLE.",
            "z.example.",
            "\\001.z.example.",
            "*.z.example.",
            "\\200.z.example.",
        ];
        for pair in sorted.windows(2) {
            assert_eq!(compare(&name(pair[0]), &name(pair[1])), Ordering::Less);
            assert_eq!(compare(&name(pair[1]), &name(pair[0])), Ordering::Greater);
        }
    }

    #[test]
    fn at_or_below_needs_a_label_boundary() {
        assert!(is_at_or_below(&name("a.example."), &name("EXAMPLE.")));
        assert!(is_at_or_below(&name("example."), &name("example.")));
        assert!(!is_at_or_below(&name("anexample."), &name("example.")));
        assert!(!is_at_or_below(&name("example."), &name("a.example.")));
        assert!(is_at_or_below(&name("example."), &name(".")));
        // The label's last octets look like the name "example.".
        assert!(!is_at_or_below(&name("x\\007example."), &name("example.")));
    }

    /// Names of few different octets, so that equal labels are common.
    fn any_name() -> impl Strategy<Value = Name<Vec<u8>>> {
        let octet = prop::sample::select(b"aAbB*\x00\x07z\xe9".to_vec());
        let label = prop::collection::vec(octet, 1..4);
        prop::collection::vec(label, 0..6).prop_map(|labels| {
            let mut octets = Vec::new();
            for label in labels {
                octets.push(u8::try_from(label.len()).expect("short"));
                octets.extend(label);
            }
            octets.push(0);
            Name::from_octets(octets).expect("built valid")
        })
    }

    proptest! {
        #[test]
        fn agrees_with_the_domain_crate(left in any_name(), right in any_name()) {
            prop_assert_eq!(
                compare(left.as_slice(), right.as_slice()),
                left.canonical_cmp(&right)
            );
            prop_assert_eq!(
                is_at_or_below(left.as_slice(), right.as_slice()),
                left.ends_with(&right)
            );
        }
    }
}
