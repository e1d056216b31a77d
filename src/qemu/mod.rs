//! The QEMU program: what it is told on its command line, its process, and the guest that is built in.

pub mod arguments;
pub mod attached;
pub mod command_line;
pub mod guest;
pub mod monitors;
pub mod process;
pub mod successor;
