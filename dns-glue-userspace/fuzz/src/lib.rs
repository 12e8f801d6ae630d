//! Fuzzing of dns-glue: what is tried, and the judges that tell right from
//! wrong.
//!
//! A target is a function from any octets to nothing, which panics when a law
//! is broken: libFuzzer calls it (`fuzz_targets`), and so do the tests, on the
//! corpora that are kept (`corpora`). The judges are not made of the code that
//! they judge: zones are read by the `domain` crate, frames by `etherparse`,
//! messages by `hickory-proto`, and what is due is worked out from the zone's
//! records and the rules of the README, query by query.

mod choices;
mod classifier;
pub mod fallback;
pub mod kernel;
pub mod packet;
mod reply;
mod world;
pub mod zone;
mod zone_oracle;

mod program_support;
#[path = "../../tests/program/stream.rs"]
mod stream;
