//! The integration tests: qhop as its users run it, with real QEMU. One crate, one builder (`test.rs`).

#![allow(clippy::unwrap_used)] // a test that cannot go on has failed

mod terminal;
mod test;

mod attach;
mod cli;
mod doc;
mod errors;
mod examples;
mod faults;
mod guards;
mod guest;
mod healthy;
mod human;
mod imports;
mod interrupt;
mod live_patch;
mod migrate;
mod monitor;
mod namespaces;
mod plan;
mod readme;
mod record;
mod recover;
mod repl;
mod successor;
mod tidy;
