//! The measurement of dns-glue against reflectors and name servers: `cargo
//! xtask bench`.
//!
//! ```text
//! zones -> workload (what is asked) -> under_load (all contenders)         -\
//!      \-> zone_work (what it takes to serve a zone) -----------------------+-> results
//!      \-> cases (the program alone) --------------------------------------/
//! under_load: contest (contenders side by side)
//!   load (a client in the kernel: prepared queries out, replies counted)
//!     -> wire (a veth pair, polled by threads of its own) -> site (a contender at its other end)
//!   round (one contender asked for a while) -> lossless (the highest rate it bears)
//!                                           -> course (its rounds) -> measure (all in turns)
//! results -> report (goals, tables, a plot)
//! readiness (what must be there; leftovers go) -> run (all of it, in order)
//! failures (who fails or is left out), circumstances (of what a run is) -> results
//! ```
//!
//! A contender's time is the processor time of the thread that polls its
//! interface, and of its processes if it has some. The client sends from another
//! processor, to all contenders alike; the polling of its end, where replies are
//! counted, has the contender's, and is told apart. Nothing of this is part of
//! dns-glue.

pub mod af_xdp;
pub mod cases;
pub mod choices;
pub mod circumstances;
pub mod contender;
pub mod contest;
pub mod course;
pub mod empty;
pub mod failures;
pub mod leftovers;
pub mod load;
pub mod lossless;
pub mod machine;
pub mod measure;
pub mod names;
pub mod readiness;
pub mod receive_buffers;
pub mod report;
pub mod results;
pub mod round;
pub mod run;
pub mod site;
pub mod socket_drops;
pub mod steal;
pub mod threads;
pub mod under_load;
pub mod wire;
pub mod workload;
pub mod zone_work;
pub mod zones;
