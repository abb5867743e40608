//! wirehook
fn main() {}
