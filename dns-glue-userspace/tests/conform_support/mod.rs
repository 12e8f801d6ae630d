//! What the comparisons with Knot share.

#![allow(dead_code, reason = "each test binary uses a part")]

pub mod knot;
pub mod message;
pub mod site;
