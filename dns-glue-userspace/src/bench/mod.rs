//! Measures how fast replies are given: dns-glue beside bare reflectors and
//! other name servers, on one core, under the same queries.
//!
//! ```text
//! load (a client in the kernel: prepared queries out, replies counted)
//!   -> wire (a veth pair, polled by threads of its own) -> site (a contender at its other end)
//! round (one contender asked for a while) -> lossless (the highest rate it bears)
//!                                         -> measure (rounds in turns) -> results
//! contest (contenders side by side, and everything above)
//! ```
//!
//! A contender's time is the processor time of the thread that polls its
//! interface, and of its processes if it has some; neither the client nor the
//! polling of its end is in it. Nothing of this is part of dns-glue.

pub mod contender;
pub mod contest;
pub mod load;
pub mod lossless;
pub mod measure;
pub mod results;
pub mod round;
pub mod site;
pub mod threads;
pub mod wire;
