//! The operator's command line: entry point.

fn main() {}
