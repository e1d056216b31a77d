//! The integration tests: qhop as its users run it, with real QEMU. One crate, one builder (`test.rs`).

mod test;

mod cli;
mod errors;
mod examples;
mod imports;
mod interrupt;
mod migrate;
mod tidy;
