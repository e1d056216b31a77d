//! Files in the source's private directory, which goes away with the source: the target gets them into its own.
//!
//! Pure.

use super::draft::Draft;
use crate::qemu::arguments::Argument;
use crate::qemu::command_line::escape;

pub(super) const WHY: &str = "the source's directory goes away with it";

pub(super) fn rewrite(draft: &mut Draft, list: Vec<Argument>) -> Vec<Argument> {
    let Some(directory) = draft.facts.source_directory.clone() else { return list };
    // As it stands in a list of keys, and as it is.
    let mut spellings = vec![escape(&directory), directory];
    spellings.dedup();
    list.into_iter()
        .map(|argument| {
            let Some(old) = argument.text() else { return argument };
            let mut text = old.to_owned();
            for spelling in &spellings {
                text = moved(draft, &text, spelling);
            }
            if text == old {
                return argument;
            }
            let new = argument.with(&text);
            draft.changed(&argument, Some(&new), WHY, None);
            new
        })
        .collect()
}

/// The text with every path below `directory` replaced by one in the target's directory.
fn moved(draft: &mut Draft, text: &str, directory: &str) -> String {
    let prefix = format!("{directory}/");
    let mut output = String::new();
    let mut rest = text;
    while let Some(at) = rest.find(&prefix) {
        let (before, path) = rest.split_at(at);
        let name = &path[prefix.len()..];
        // A comma or a quote ends a name; what qhop puts into a directory has none.
        let end = name.find(|c: char| ",\"".contains(c)).unwrap_or(name.len());
        let (name, after) = name.split_at(end);
        output.push_str(before);
        if name.is_empty() {
            output.push_str(&path[..prefix.len()]);
        } else {
            let from = format!("{}/{name}", directory.replace(",,", ","));
            let to = draft.linked(&from, name);
            output.push_str(&if directory.contains(",,") || text.contains(',') { escape(&to) } else { to });
        }
        rest = after;
    }
    output.push_str(rest);
    output
}

impl Draft<'_> {
    /// Where the target finds a file of the source's directory.
    fn linked(&mut self, from: &str, name: &str) -> String {
        if let Some(to) = self.link_of(from) {
            return to;
        }
        let to = self.place(name.rsplit('/').next().unwrap_or(name));
        self.link(from, &to);
        to
    }
}
