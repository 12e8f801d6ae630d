//! Zones: from text to records, and from records to zone cuts.
//!
//! ```text
//! source (ORIGIN=FILE) -> master_file (lexer, name_text, rdata_scanner) -> builder -> records (nsec3)
//! records of all zones -> cuts (cover, proof) -> inspect (faults)
//! ```

pub mod builder;
mod cover;
pub mod cuts;
pub mod errors;
pub mod faults;
pub mod inspect;
mod lexer;
pub mod master_file;
mod name_order;
mod name_servers;
mod name_text;
pub mod nsec3;
pub mod position;
pub mod proof;
mod rdata_scanner;
pub mod records;
pub mod source;
pub mod survey;
pub mod texts;
mod ttl_text;
mod type_bitmap;
