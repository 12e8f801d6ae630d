//! The `dns-glue` command.

fn main() {}
