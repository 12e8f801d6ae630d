//! Every type of record reads as another implementation reads it.

use std::path::PathBuf;

use dns_glue::zone::records::Zone;
use dns_glue::zone::source::{ZoneSource, load};
use domain::base::Name;

fn test_zone(file: &str) -> Zone {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("testdata")
        .join(file);
    let apex = Name::vec_from_str("types.example.").expect("a valid name");
    match load(&ZoneSource { apex, path }) {
        Ok(zone) => zone,
        Err(errors) => panic!("{errors}"),
    }
}

/// Owner, type and TTL of an RRset, its data and its signatures.
type Contents = (String, String, u32, Vec<Vec<u8>>, Vec<Vec<u8>>);

/// Every RRset of a zone.
fn contents(zone: &Zone) -> Vec<Contents> {
    let mut contents = Vec::new();
    for rrset in zone
        .nodes()
        .flat_map(|node| node.rrsets().collect::<Vec<_>>())
    {
        contents.push((
            rrset.owner().to_string(),
            rrset.rtype().to_string(),
            rrset.ttl(),
            rrset.records().map(<[u8]>::to_vec).collect(),
            rrset.signatures().map(<[u8]>::to_vec).collect(),
        ));
    }
    contents
}

#[test]
fn types_read_as_bind_reads_them() {
    let mut found = contents(&test_zone("types.zone"));
    // The dump of the other implementation has owners in lower case.
    for (owner, ..) in &mut found {
        owner.make_ascii_lowercase();
    }
    let expected = contents(&test_zone("types-generic.zone"));
    assert_eq!(found.len(), 28);
    for (found, expected) in found.iter().zip(&expected) {
        assert_eq!(found, expected);
    }
    assert_eq!(found.len(), expected.len());
}
