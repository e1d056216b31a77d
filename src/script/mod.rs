//! Everything that names `rhai`: recipes as text and as syntax, values and failures on their way
//! between a script and the rest of the program. Below this module there are only JSON values and
//! [`crate::error::Error`].

pub mod complaint;
pub mod diagnostic;
pub mod failure;
pub mod names;
pub mod nearest;
pub mod parameters;
pub mod recipe;
pub mod resolver;
pub mod sources;
pub mod usage;
pub mod value;
