//! The decisions of dns-glue, shared by the kernel and userspace.
#![no_std]
