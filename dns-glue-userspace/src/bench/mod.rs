//! Measures how fast replies are given: dns-glue beside bare reflectors and
//! other name servers, on one core, under the same queries.

pub mod results;
