//! qhop scripts QEMU. Scaffold; the map follows with the code.

pub mod error;
pub mod migration;
pub mod units;
