//! Literal commands of the machine monitor, held against what a QEMU offers.
//!
//! Pure.

use rhai::{Expr, Position};

use super::calls::{Complaint, none_of};
use crate::qemu::offer::{Offer, Step};

/// The methods that send a command, and have its arguments in a map behind it.
const METHODS: [&str; 4] = ["qmp", "qmp_oob", "qmp_fd", "_qmp"];

/// Takes arguments that its schema does not tell: those of the device.
const OPEN: [&str; 1] = ["device_add"];

/// What is wrong with a call of a method, and where: nothing if it sends no literal command.
pub fn complaints(method: &str, arguments: &[Expr], offer: &Offer) -> Vec<(Position, Complaint)> {
    let (true, Some(Expr::StringConstant(command, at))) = (METHODS.contains(&method), arguments.first())
    else {
        return Vec::new();
    };
    let names: Vec<&str> = offer.commands().iter().map(String::as_str).collect();
    if !names.contains(&command.as_str()) {
        return vec![(*at, none_of("this QEMU has no command", command, &names))];
    }
    let mut search = Search { offer, command, found: Vec::new() };
    match arguments.get(1) {
        Some(map @ Expr::Map(..)) => search.value(map, &mut Vec::new()),
        None => search.missing(*at, &[], &[]),
        Some(_) => {}
    }
    search.found
}

struct Search<'a> {
    offer: &'a Offer,
    command: &'a str,
    found: Vec<(Position, Complaint)>,
}

impl Search<'_> {
    /// A value at the end of `path` in the command's arguments.
    fn value(&mut self, value: &Expr, path: &mut Vec<Step>) {
        match value {
            Expr::Map(map, at) => {
                let members = self.offer.members(self.command, path);
                let known: Vec<&str> = members.iter().map(|member| member.name.as_str()).collect();
                let given: Vec<&str> = map.0.iter().map(|(key, _)| key.name.as_str()).collect();
                // Of what may be anything, nothing is known.
                let is_closed = !OPEN.contains(&self.command) && (path.is_empty() || !known.is_empty());
                for (key, value) in &map.0 {
                    if known.contains(&key.name.as_str()) {
                        path.push(Step::Key(key.name.to_string()));
                        self.value(value, path);
                        path.pop();
                    } else if is_closed {
                        let what = format!("`{}` has no argument", self.place(path));
                        self.found.push((key.pos, none_of(&what, &key.name, &known)));
                    }
                }
                self.missing(*at, path, &given);
            }
            Expr::Array(items, _) => {
                path.push(Step::Item);
                for item in items {
                    self.value(item, path);
                }
                path.pop();
            }
            Expr::StringConstant(text, at) => {
                let choices = self.offer.choices(self.command, path).unwrap_or_default();
                let choices: Vec<&str> = choices.iter().map(String::as_str).collect();
                if !choices.is_empty() && !choices.contains(&text.as_str()) {
                    let what = format!("`{}` is never", self.place(path));
                    self.found.push((*at, none_of(&what, text, &choices)));
                }
            }
            _ => {}
        }
    }

    fn missing(&mut self, at: Position, path: &[Step], given: &[&str]) {
        let required = self.offer.required(self.command, path);
        let missing: Vec<String> = required.into_iter().filter(|it| !given.contains(&it.as_str())).collect();
        if !missing.is_empty() {
            let message = format!("`{}` cannot do without `{}`", self.place(path), missing.join("`, `"));
            self.found.push((at, (message, String::new())));
        }
    }

    /// `migrate-set-capabilities`, or `capabilities.capability` of it.
    fn place(&self, path: &[Step]) -> String {
        let keys = path.iter().filter_map(|step| match step {
            Step::Key(key) => Some(key.as_str()),
            Step::Item => None,
        });
        std::iter::once(self.command).chain(keys).collect::<Vec<_>>().join(".")
    }
}
