//! Measures how fast replies are given: dns-glue beside bare reflectors and
//! other name servers, on one core, under the same queries.

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
