//! What a QEMU offers: its commands, their arguments and values, as it tells them itself.
//!
//! Pure: from the reply of `query-qmp-schema` and what `help` prints.

mod usage;

use std::collections::HashMap;

use serde_json::Value;

use usage::{Usage, usages};

/// One step from a command's arguments to a part of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// The member of that name.
    Key(String),
    /// An item of an array.
    Item,
}

/// A member of an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// Its name.
    pub name: String,
    /// Whether it may be left out.
    pub optional: bool,
}

/// What a QEMU offers.
#[derive(Debug, Default)]
pub struct Offer {
    /// The types, commands and events of the machine monitor, by name.
    entities: HashMap<String, Value>,
    commands: Vec<String>,
    events: Vec<String>,
    lines: HashMap<String, Usage>,
    info: HashMap<String, Usage>,
    capabilities: Vec<String>,
    parameters: Vec<String>,
    /// The parameters that are on or off.
    switches: Vec<String>,
}

impl Offer {
    /// From the reply of `query-qmp-schema` (null where there is none), and what the human monitor prints on `help`,
    /// `help info`, `info migrate_capabilities` and `info migrate_parameters`.
    #[must_use]
    pub fn new(schema: &Value, help: &str, help_info: &str, capabilities: &str, parameters: &str) -> Self {
        let entities = schema.as_array().into_iter().flatten();
        let entities: HashMap<String, Value> =
            entities.map(|entity| (text(&entity["name"]).to_owned(), entity.clone())).collect();
        let of_type = |wanted: &str| {
            let of_type = entities.iter().filter(|(_, entity)| entity["meta-type"] == wanted);
            let mut names: Vec<String> = of_type.map(|(name, _)| name.clone()).collect();
            names.sort_unstable();
            names
        };
        let (commands, events) = (of_type("command"), of_type("event"));
        let listed = |text: &str| -> Vec<(String, String)> {
            let pairs = text.lines().filter_map(|line| line.split_once(": "));
            let pairs = pairs.map(|(name, value)| (name.trim().to_owned(), value.trim().to_owned()));
            pairs.filter(|(name, _)| !name.contains(' ')).collect()
        };
        let names = |pairs: &[(String, String)]| pairs.iter().map(|(name, _)| name.clone()).collect();
        let (capabilities, mut parameters) = (listed(capabilities), listed(parameters));
        let all = names(&parameters);
        parameters.retain(|(_, value)| ["on", "off"].contains(&value.as_str()));
        let mut offer = Self {
            entities,
            commands,
            events,
            lines: usages(help, ""),
            info: usages(help_info, "info "),
            capabilities: names(&capabilities),
            parameters: all,
            switches: names(&parameters),
        };
        let capability = [Step::Key("capabilities".into()), Step::Item, Step::Key("capability".into())];
        let known = offer.values("migrate-set-capabilities", &capability);
        if !known.is_empty() {
            offer.capabilities = known;
        }
        let known = offer.members("migrate-set-parameters", &[]);
        if !known.is_empty() {
            offer.parameters = known.into_iter().map(|member| member.name).collect();
        }
        offer
    }

    /// The commands of the machine monitor.
    #[must_use]
    pub fn commands(&self) -> &[String] {
        &self.commands
    }

    /// The events that it may send.
    #[must_use]
    pub fn events(&self) -> &[String] {
        &self.events
    }

    /// The members of the object at the end of `path` in the arguments of `command`.
    #[must_use]
    pub fn members(&self, command: &str, path: &[Step]) -> Vec<Member> {
        let Some(entity) = self.arguments(command).and_then(|entity| self.walk(entity, path)) else {
            return Vec::new();
        };
        let mut members: Vec<Member> = self
            .members_of(entity)
            .into_iter()
            .map(|it| Member { name: text(&it["name"]).to_owned(), optional: it.get("default").is_some() })
            .collect();
        let mut seen = std::collections::HashSet::new();
        members.retain(|member| seen.insert(member.name.clone()));
        members
    }

    /// The values that there are for what is at the end of `path` in the arguments of `command`.
    #[must_use]
    pub fn values(&self, command: &str, path: &[Step]) -> Vec<String> {
        let entity = self.arguments(command).and_then(|entity| self.walk(entity, path));
        entity.map(|entity| self.values_of(entity)).unwrap_or_default()
    }

    /// The values that there are, and no others: only for what is nothing but one of them.
    #[must_use]
    pub fn choices(&self, command: &str, path: &[Step]) -> Option<Vec<String>> {
        let entity = self.walk(self.arguments(command)?, path)?;
        (entity["meta-type"] == "enum").then(|| self.values_of(entity))
    }

    /// The members that the object at the end of `path` cannot do without, whatever else it has.
    #[must_use]
    pub fn required(&self, command: &str, path: &[Step]) -> Vec<String> {
        let entity = self.arguments(command).and_then(|entity| self.walk(entity, path));
        let members = entity.and_then(|entity| entity["members"].as_array()).into_iter().flatten();
        let required = members.filter(|it| it.get("name").is_some() && it.get("default").is_none());
        match entity {
            Some(entity) if entity["meta-type"] == "object" => {
                required.map(|it| text(&it["name"]).to_owned()).collect()
            }
            _ => Vec::new(),
        }
    }

    /// The values that a member of a command's reply can have.
    #[must_use]
    pub fn reply_values(&self, command: &str, member: &str) -> Vec<String> {
        let reply = self.entities.get(command).and_then(|entity| self.entity(&entity["ret-type"]));
        let member = reply.and_then(|reply| self.walk(reply, &[Step::Key(member.to_owned())]));
        member.map(|entity| self.values_of(entity)).unwrap_or_default()
    }

    /// What the next word of a line of the human monitor can be, after `words`.
    #[must_use]
    pub fn next_words(&self, words: &[&str]) -> Vec<String> {
        let names = |usages: &HashMap<String, Usage>| usages.keys().cloned().collect();
        let on_off = || vec!["on".to_owned(), "off".to_owned()];
        match words {
            [] | ["help" | "?"] => names(&self.lines),
            ["info"] | ["help" | "?", "info"] => names(&self.info),
            ["migrate_set_capability"] => self.capabilities.clone(),
            ["migrate_set_capability", _] => on_off(),
            ["migrate_set_parameter"] => self.parameters.clone(),
            ["migrate_set_parameter", parameter] => {
                let values = self.values("migrate-set-parameters", &[Step::Key((*parameter).to_owned())]);
                let is_switch = values.iter().any(|value| value == "true")
                    || self.switches.iter().any(|switch| switch == parameter);
                if is_switch { on_off() } else { values }
            }
            _ => self.usage(words).map(|(usage, given)| usage.next(given)).unwrap_or_default(),
        }
    }

    /// Whether the next word after `words` can be a file.
    #[must_use]
    pub fn wants_file(&self, words: &[&str]) -> bool {
        self.usage(words).is_some_and(|(usage, given)| usage.wants_file(given))
    }

    /// How a line is used, and the words that are its arguments.
    fn usage<'a, 'b>(&self, words: &'a [&'b str]) -> Option<(&Usage, &'a [&'b str])> {
        match words {
            ["info", name, given @ ..] => Some((self.info.get(*name)?, given)),
            [name, given @ ..] => Some((self.lines.get(*name)?, given)),
            [] => None,
        }
    }

    fn arguments(&self, command: &str) -> Option<&Value> {
        self.entity(&self.entities.get(command)?["arg-type"])
    }

    fn entity(&self, name: &Value) -> Option<&Value> {
        self.entities.get(name.as_str()?)
    }

    fn walk<'a>(&'a self, entity: &'a Value, path: &[Step]) -> Option<&'a Value> {
        let Some((step, rest)) = path.split_first() else { return Some(entity) };
        let types: Vec<&Value> = match step {
            Step::Key(key) => {
                let members = self.members_of(entity).into_iter().filter(|it| text(&it["name"]) == key);
                members.map(|member| &member["type"]).collect()
            }
            Step::Item => {
                self.alternatives(entity).into_iter().filter_map(|it| it.get("element-type")).collect()
            }
        };
        types.into_iter().filter_map(|name| self.entity(name)).find_map(|entity| self.walk(entity, rest))
    }

    /// The members of an object and of all its variants.
    fn members_of<'a>(&'a self, entity: &'a Value) -> Vec<&'a Value> {
        let mut members = Vec::new();
        for object in self.alternatives(entity) {
            members.extend(
                object["members"].as_array().into_iter().flatten().filter(|it| it.get("name").is_some()),
            );
            let variants = object["variants"].as_array().into_iter().flatten();
            for variant in variants.filter_map(|variant| self.entity(&variant["type"])) {
                members.extend(variant["members"].as_array().into_iter().flatten());
            }
        }
        members
    }

    /// The types that a value may have: one, or those of an alternate.
    fn alternatives<'a>(&'a self, entity: &'a Value) -> Vec<&'a Value> {
        if entity["meta-type"] != "alternate" {
            return vec![entity];
        }
        let types = entity["members"].as_array().into_iter().flatten();
        types.filter_map(|member| self.entity(&member["type"])).collect()
    }

    fn values_of(&self, entity: &Value) -> Vec<String> {
        let mut values = Vec::new();
        for entity in self.alternatives(entity) {
            match text(&entity["meta-type"]) {
                "enum" => {
                    let list = entity["values"].as_array().into_iter().flatten();
                    values.extend(list.map(|value| text(value).to_owned()));
                }
                "builtin" if entity["json-type"] == "boolean" => {
                    values.extend(["true".to_owned(), "false".to_owned()]);
                }
                _ => {}
            }
        }
        values
    }
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

#[cfg(test)]
mod tests;
