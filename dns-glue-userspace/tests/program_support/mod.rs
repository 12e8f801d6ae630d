//! What the tests of the program share: frames made and taken apart without
//! the code under test, the program in the kernel, and the same on the host.

#![allow(dead_code, unused_imports, reason = "each test binary uses a part")]

pub mod frame;
pub mod oddities;
pub mod program;
pub mod query;
pub mod random;
#[path = "../fallback_support/reply.rs"]
pub mod reply;
pub mod root;
pub mod zones;

pub use random::Random;
pub use root::is_root;
