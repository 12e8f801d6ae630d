//! Kernel against host.
