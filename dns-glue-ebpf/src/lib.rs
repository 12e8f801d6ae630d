//! Empty: the library target exists so that dns-glue-userspace can name this
//! crate as a build dependency and be rebuilt when it changes.
#![no_std]
