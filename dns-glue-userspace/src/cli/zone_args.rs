//! The arguments that name zones, the same for every subcommand.

use clap::Args;
use domain::base::Name;

use crate::serve::compiled::ZoneChoice;
use crate::zone::source::ZoneSource;

/// Zones to compile.
#[derive(Args, Clone, Debug)]
pub struct ZoneArgs {
    /// A zone to compile, and its master file
    ///
    /// For example `.=root.zone`. Several may follow one flag, and the flag may
    /// be given several times.
    #[arg(long = "zone", value_name = "ORIGIN=FILE", required = true, num_args = 1..)]
    zones: Vec<ZoneSource>,

    /// A zone that the server behind serves too: names below it pass
    #[arg(long, value_name = "APEX", num_args = 1.., value_parser = parse_name)]
    serves: Vec<Name<Vec<u8>>>,

    /// Refuse a zone that has a faulty delegation, instead of passing its queries
    #[arg(long)]
    strict: bool,
}

impl ZoneArgs {
    /// The choice that they make.
    pub fn choice(&self) -> ZoneChoice {
        ZoneChoice {
            sources: self.zones.clone(),
            also_served: self.serves.clone(),
            strict: self.strict,
        }
    }
}

pub(super) fn parse_name(text: &str) -> Result<Name<Vec<u8>>, String> {
    Name::vec_from_str(text).map_err(|error| format!("not a domain name: {error}"))
}
