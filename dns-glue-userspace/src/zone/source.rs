//! Where a zone comes from: `ORIGIN=FILE` as on the command line.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use domain::base::Name;
use thiserror::Error;

use super::errors::ZoneErrors;
use super::master_file;
use super::records::Zone;

/// A zone and the master file that holds it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ZoneSource {
    /// The zone's name.
    pub apex: Name<Vec<u8>>,
    /// Its file.
    pub path: PathBuf,
}

/// Why a text is not a [`ZoneSource`].
#[derive(Clone, Debug, Eq, Error, PartialEq)]
pub enum BadZoneSource {
    /// Without an equals sign.
    #[error("'{0}' is not of the form ORIGIN=FILE, for example '.=root.zone'")]
    NoEqualsSign(String),
    /// What stands before the equals sign is not a name.
    #[error("'{origin}' before the '=' is not a domain name: {why}")]
    BadOrigin {
        /// What stands there.
        origin: String,
        /// What is wrong with it.
        why: String,
    },
    /// Nothing stands after the equals sign.
    #[error("no file is named after '{0}='")]
    NoFile(String),
}

impl FromStr for ZoneSource {
    type Err = BadZoneSource;

    /// Reads `ORIGIN=FILE`. The first equals sign divides; the name is
    /// absolute with or without a final dot.
    fn from_str(text: &str) -> Result<Self, BadZoneSource> {
        let Some((origin, path)) = text.split_once('=') else {
            return Err(BadZoneSource::NoEqualsSign(text.to_owned()));
        };
        let bad_origin = |why: &str| {
            let (origin, why) = (origin.to_owned(), why.to_owned());
            Err(BadZoneSource::BadOrigin { origin, why })
        };
        if origin.is_empty() {
            return bad_origin("it is empty; the root is '.'");
        }
        let apex = match Name::vec_from_str(origin) {
            Ok(apex) => apex,
            Err(error) => return bad_origin(&error.to_string()),
        };
        if path.is_empty() {
            return Err(BadZoneSource::NoFile(origin.to_owned()));
        }
        Ok(Self {
            apex,
            path: PathBuf::from(path),
        })
    }
}

impl fmt::Display for ZoneSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}={}", self.apex.fmt_with_dot(), self.path.display())
    }
}

/// Reads a zone from its file.
///
/// # Errors
///
/// Everything that is wrong with the file, with places.
pub fn load(source: &ZoneSource) -> Result<Zone, ZoneErrors> {
    master_file::read_file(&source.apex, &source.path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_origin_and_file() {
        let source: ZoneSource = ".=root=1.zone".parse().expect("good");
        assert!(source.apex.is_root());
        assert_eq!(source.path, PathBuf::from("root=1.zone"));
        let source: ZoneSource = "Glue.Example=a/b".parse().expect("good");
        assert_eq!(source.to_string(), "Glue.Example.=a/b");
    }

    #[test]
    fn says_what_is_wrong() {
        let message = |text: &str| text.parse::<ZoneSource>().expect_err("bad").to_string();
        assert!(message("root.zone").contains("ORIGIN=FILE"));
        assert!(message("=root.zone").contains("the root is '.'"));
        assert!(message("a..b=root.zone").contains("'a..b'"));
        assert!(message(".=").contains("no file"));
    }
}
