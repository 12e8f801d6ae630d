//! The tasks a person runs on this workspace, one module a command.

fn main() {}
