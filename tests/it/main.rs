//! The integration tests: qhop as its users run it, with real QEMU. One crate, one builder (`test.rs`).

#![allow(clippy::unwrap_used)] // a test that cannot go on has failed

mod scene;
mod terminal;
mod test;

mod attach;
mod broken_link;
mod by_hand;
mod check;
mod cli;
mod completion;
mod cpr;
mod cpr_exec;
mod doc;
mod errors;
mod examples;
mod fault_table;
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
mod piped;
mod plan;
mod progress;
mod readme;
mod record;
mod recover;
mod repl;
mod report;
mod successor;
mod suite;
mod suite_end;
mod switch;
mod tidy;
