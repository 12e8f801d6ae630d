//! Zones that must be refused, each error at its place.
//!
//! Each `testdata/broken/NAME.zone` has its messages in `NAME.errors`.

use std::path::PathBuf;

use dns_glue::zone::source::{ZoneSource, load};
use domain::base::Name;

/// Folder of the broken zones.
fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("testdata/broken")
}

#[test]
fn every_error_is_named_with_its_place() {
    let mut seen = 0;
    for entry in folder().read_dir().expect("the folder is there") {
        let path = entry.expect("an entry").path();
        if path.extension().is_none_or(|extension| extension != "zone") {
            continue;
        }
        let apex = Name::vec_from_str("broken.example.").expect("a valid name");
        let source = ZoneSource {
            apex,
            path: path.clone(),
        };
        let errors = load(&source).expect_err("the zone is broken").to_string();
        let found = errors.replace(&format!("{}/", folder().display()), "");
        let expected = path.with_extension("errors");
        let expected = std::fs::read_to_string(&expected)
            .unwrap_or_else(|error| panic!("{}: {error}\n{found}", expected.display()));
        assert_eq!(found.trim_end(), expected.trim_end(), "{}", path.display());
        seen += 1;
    }
    assert_eq!(seen, 10);
}

#[test]
fn a_file_that_is_not_there() {
    let path = folder().join("absent.zone");
    let source = ZoneSource {
        apex: Name::root_vec(),
        path: path.clone(),
    };
    let errors = load(&source).expect_err("it is not there");
    assert!(
        errors
            .to_string()
            .starts_with(&format!("{}: cannot read", path.display()))
    );
}
