//! The fleet daemon's entry point.

fn main() {}
