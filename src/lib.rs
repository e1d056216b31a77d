//! qhop scripts QEMU. Scaffold; the map follows with the code.

pub mod error;
pub mod script;
pub mod units;
