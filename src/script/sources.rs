//! The texts that a run was compiled from, by the name that positions are reported under.
//!
//! Kept because a file may change, or a pipe end, before a failure in it is shown. It never reads
//! anything itself.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};

/// Cheap to clone; every clone is the same store.
#[derive(Debug, Clone, Default)]
pub struct Sources(Arc<RwLock<BTreeMap<String, Arc<str>>>>);

impl Sources {
    /// Remember a text under the name that its AST has as `source`. The latest text of a name counts.
    pub fn add(&self, name: &str, text: &str) {
        self.0.write().unwrap_or_else(PoisonError::into_inner).insert(name.to_owned(), text.into());
    }

    /// The text of that name.
    #[must_use]
    pub fn text(&self, name: &str) -> Option<String> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).get(name).map(ToString::to_string)
    }
}
