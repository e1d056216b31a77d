//! The options of a function, from the doc that its reader sees, too.
//!
//! Pure.

use super::complete::is_name;
use crate::script::help::Function;

/// The options of a function, which its doc lists: `` Options: `name`, `args` (one string, or an array), … ``
#[must_use]
pub fn names(function: &str, api: &[Function]) -> Vec<String> {
    let docs = api.iter().filter(|it| it.name == function).map(|it| it.doc.as_str());
    let lists = docs.filter_map(|doc| doc.split_once("Options: ")).map(|(_, list)| list);
    let mut found = Vec::new();
    for list in lists {
        let list = list.split("\n\n").next().unwrap_or_default();
        let (mut depth, mut explained) = (0_usize, false);
        for (index, piece) in list.split('`').enumerate() {
            if index % 2 == 1 {
                if depth == 0 && !explained && is_name(piece) {
                    found.push(piece.to_owned());
                }
                continue;
            }
            for char in piece.chars() {
                match char {
                    '(' => depth += 1,
                    ')' => depth = depth.saturating_sub(1),
                    ':' if depth == 0 => explained = true,
                    ';' if depth == 0 => explained = false,
                    _ => {}
                }
            }
        }
    }
    found
}

/// The values in quotes that the doc of a function gives for an option.
#[must_use]
pub fn values(function: &str, option: &str, api: &[Function]) -> Vec<String> {
    let docs = api.iter().filter(|it| it.name == function).map(|it| it.doc.as_str());
    let after = docs.filter_map(|doc| doc.split_once(&format!("`{option}`: "))).map(|(_, rest)| rest);
    let list = after.map(|rest| rest.split(';').next().unwrap_or_default());
    list.flat_map(|list| {
        list.split("`\"").skip(1).filter_map(|it| it.split_once("\"`")).map(|it| it.0.to_owned())
    })
    .collect()
}
