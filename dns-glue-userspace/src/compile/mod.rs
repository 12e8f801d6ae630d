//! The referral compiler: from zone cuts to a generation.

pub mod generation;

pub use generation::Generation;
