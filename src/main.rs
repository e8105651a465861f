//! The kiln binary: parses, hands over, exits.

fn main() {}
