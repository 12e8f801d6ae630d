//! Frames, built and checked octet by octet by nothing that is under test.

pub use dns_glue::conform::frame::*;
