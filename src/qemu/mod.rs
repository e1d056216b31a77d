//! The QEMU program: what it is told on its command line, its process, and the guest that is built in.

pub mod arguments;
pub mod attached;
pub mod backing;
pub mod command_line;
pub mod directory;
pub mod guest;
#[cfg(test)]
pub(crate) mod lab;
pub mod memory_file;
pub mod monitors;
pub mod offer;
pub mod ours;
pub mod process;
pub mod successor;
