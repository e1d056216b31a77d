//! Everything that names Rhai: scripts as text and as syntax, the engine and its API, values and
//! failures on their way between a script and the rest of the program. Below, there are only JSON values and
//! [`crate::error::Error`].

pub mod api;
pub mod check;
pub mod complaint;
pub mod diagnostic;
pub mod dialogue;
pub mod engine;
pub mod entry;
pub mod failure;
pub mod gate;
pub mod help;
pub mod highlight;
pub mod interrupt;
pub mod library;
pub mod names;
pub mod nearest;
pub mod options;
pub mod parameters;
pub mod recipe;
pub mod resolver;
pub mod runner;
pub mod session;
pub mod shape;
pub mod show;
mod slip;
pub mod sources;
pub mod subjects;
pub mod suite;
pub mod tokens;
pub mod transcript;
pub mod usage;
pub mod value;
