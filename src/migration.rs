//! What is known of live migration, without touching one: how QEMU's messages read, who holds the guest,
//! and what stands between it and another QEMU.
//!
//! Pure: no I/O, no `async`. The callers ask QEMU; here is only what the answers mean.

pub mod explain;
pub mod plan;
pub mod sample;
pub mod state;
