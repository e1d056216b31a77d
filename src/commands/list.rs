//! `qhop list` and `qhop new`: the shipped recipes.

use serde_json::json;

use super::print;
use crate::cli::Common;
use crate::error::Error;
use crate::script::diagnostic::Failure;
use crate::script::nearest::did_you_mean;
use crate::script::recipe::{self, shipped_names};

/// Their names, with what each says of itself.
pub fn list(common: &Common) -> Result<u8, Failure> {
    let summary = |name| recipe::header(recipe::shipped(name).unwrap_or_default()).summary;
    let recipes = shipped_names().map(|name| (name, summary(name)));
    if common.json {
        let recipes: Vec<_> =
            recipes.map(|(name, summary)| json!({ "name": name, "summary": summary })).collect();
        print(&json!({ "outcome": recipes }).to_string())?;
    } else {
        for (name, summary) in recipes {
            print(&format!("{name:<16} {summary}"))?;
        }
    }
    Ok(0)
}

/// The text of one.
pub fn new(name: &str) -> Result<u8, Failure> {
    let text = recipe::shipped(name).ok_or_else(|| unknown(name))?;
    print(text.trim_end())?;
    Ok(0)
}

/// The error for a name that no shipped recipe has.
pub fn unknown(name: &str) -> Failure {
    let near = did_you_mean(name, shipped_names());
    let hint = if near.is_empty() { "`qhop list` shows the shipped recipes".to_owned() } else { near };
    Failure::from(&Error::Usage { message: format!("there is no file and no shipped recipe `{name}`"), hint })
}
