//! Zones: from text to records, and from records to zone cuts.

pub mod builder;
mod name_order;
pub mod position;
pub mod records;
