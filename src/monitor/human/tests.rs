//! `Human` and `probe` against real QEMUs, and against peers that send what a real QEMU would not.

mod lab;
mod peers;
mod qemu;
