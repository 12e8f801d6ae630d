//! The daemon: what runs while the program is attached.

pub mod fallback;
