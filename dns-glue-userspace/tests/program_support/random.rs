//! Where tests take their choices from.

pub use dns_glue::conform::random::*;
