//! What an option's value says: a list `key=value,…` or a JSON object, read and changed by the same names.
//!
//! Pure. A part that is not changed keeps its spelling.

use std::fmt;

use serde_json::Value as Json;

/// A value with keys. `addr.path` names the same thing in both spellings: `addr.path=/x` and `{"addr": {"path": "/x"}}`.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// `socket,id=a,path=/x`: the items as written, and the key that a first item without `=` stands for ("" for none).
    List {
        /// As written, commas still doubled.
        items: Vec<String>,
        /// As in [`super::options::implied_key`].
        implied: &'static str,
    },
    /// `{"driver": "virtio-net-pci"}`: `-device`, `-object`, `-blockdev`, `-netdev`, `-audiodev`, `-display`, `-incoming`.
    Json(Json),
}

impl Value {
    /// Read a value. Never fails: any text is a list of something.
    #[must_use]
    pub fn parse(text: &str, implied: &'static str) -> Self {
        if text.starts_with('{')
            && let Ok(json @ Json::Object(_)) =
                serde_json::from_str(text).or_else(|_| serde_json::from_str(&double_quoted(text)))
        {
            return Self::Json(json);
        }
        Self::List { items: split(text), implied }
    }

    /// What a key says: the last item's word, as QEMU has it. A flag says `on` or `off`.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<String> {
        match self {
            Self::List { items, implied } => items
                .iter()
                .enumerate()
                .rev()
                .find_map(|(at, item)| read(item, if at == 0 { implied } else { "" }, key)),
            Self::Json(json) => match find(json, key)? {
                Json::String(text) => Some(text.clone()),
                Json::Bool(on) => Some(if *on { "on" } else { "off" }.to_owned()),
                other => Some(other.to_string()),
            },
        }
    }

    /// What a switch says: `on`, `yes`, `true` and `y` are on.
    #[must_use]
    pub fn is_on(&self, key: &str) -> Option<bool> {
        let word = self.get(key)?;
        match word.as_str() {
            "on" | "yes" | "true" | "y" => Some(true),
            "off" | "no" | "false" | "n" => Some(false),
            _ => None,
        }
    }

    /// The keys, in order, of a list or of a JSON object (dotted where it nests).
    #[must_use]
    pub fn keys(&self) -> Vec<String> {
        match self {
            Self::List { items, implied } => items
                .iter()
                .enumerate()
                .filter(|(_, item)| !item.is_empty())
                .map(|(at, item)| match item.split_once('=') {
                    Some((key, _)) => key.to_owned(),
                    None if at == 0 && !implied.is_empty() => (*implied).to_owned(),
                    None => item.clone(),
                })
                .collect(),
            Self::Json(json) => dotted(json, ""),
        }
    }

    /// Let a key say `word`: in the place where it is, else at the end. A key that is written more than
    /// once is written once afterwards.
    pub fn set(&mut self, key: &str, word: &str) {
        match self {
            Self::List { items, implied } => {
                let written = format!("{key}={}", word.replace(',', ",,"));
                let mut first = true;
                let mut at = 0;
                items.retain_mut(|item| {
                    let said = read(item, if at == 0 { implied } else { "" }, key).is_some();
                    at += 1;
                    if said && first {
                        first = false;
                        item.clone_from(&written);
                        return true;
                    }
                    !said
                });
                if first {
                    items.retain(|item| !item.is_empty());
                    items.push(written);
                }
            }
            Self::Json(json) => insert(json, key, word),
        }
    }

    /// Say nothing about a key.
    pub fn remove(&mut self, key: &str) {
        match self {
            Self::List { items, implied } => {
                let mut at = 0;
                items.retain(|item| {
                    at += 1;
                    read(item, if at == 1 { implied } else { "" }, key).is_none()
                });
            }
            Self::Json(json) => {
                let (parents, last) = key.rsplit_once('.').unwrap_or(("", key));
                let parent = parents
                    .split('.')
                    .filter(|part| !part.is_empty())
                    .try_fold(json, |json, part| json.get_mut(part));
                if let Some(object) = parent.and_then(Json::as_object_mut) {
                    object.shift_remove(last);
                }
            }
        }
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::List { items, .. } => f.write_str(&items.join(",")),
            Self::Json(json) => json.fmt(f),
        }
    }
}

/// The items of a list: QEMU reads `,,` as a comma within an item.
fn split(text: &str) -> Vec<String> {
    let mut items = vec![String::new()];
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        let Some(item) = items.last_mut() else { break };
        if c != ',' {
            item.push(c);
        } else if rest.next_if_eq(&',').is_some() {
            item.push_str(",,");
        } else {
            items.push(String::new());
        }
    }
    items
}

/// What an item says about a key: `key=word`, `word` where `key` is implied, `key` (on), `nokey` (off).
fn read(item: &str, implied: &str, key: &str) -> Option<String> {
    match item.split_once('=') {
        Some((name, word)) => (name == key).then(|| word.replace(",,", ",")),
        None if item.is_empty() => None,
        None if !implied.is_empty() => (implied == key).then(|| item.replace(",,", ",")),
        None if item == key => Some("on".to_owned()),
        None => (item.strip_prefix("no") == Some(key)).then(|| "off".to_owned()),
    }
}

fn find<'a>(json: &'a Json, key: &str) -> Option<&'a Json> {
    let step = |key: &str| json.get(key).or_else(|| json.get(key.parse::<usize>().ok()?));
    // QEMU accepts both `{"addr": {"path": …}}` and `{"addr.path": …}` where an option has dotted names.
    step(key).or_else(|| {
        let (parent, rest) = key.split_once('.')?;
        find(step(parent)?, rest)
    })
}

fn dotted(json: &Json, prefix: &str) -> Vec<String> {
    let Json::Object(object) = json else { return vec![prefix.to_owned()] };
    let name = |key: &String| if prefix.is_empty() { key.clone() } else { format!("{prefix}.{key}") };
    object.iter().flat_map(|(key, value)| dotted(value, &name(key))).collect()
}

fn insert(json: &mut Json, key: &str, word: &str) {
    let (here, rest) = match key.split_once('.') {
        Some((here, rest)) if json.get(key).is_none() => (here, Some(rest)),
        _ => (key, None),
    };
    if !json.is_object() {
        *json = Json::Object(serde_json::Map::new());
    }
    let slot = &mut json[here];
    match rest {
        Some(rest) => insert(slot, rest, word),
        // QEMU's types are strict here: a switch stays a switch, a number a number.
        None => {
            *slot = match (&*slot, word) {
                (Json::Bool(_), "on" | "off") => Json::Bool(word == "on"),
                (Json::Number(_), word) => match word.parse::<i64>() {
                    // Not `00`, which would be read as `0`.
                    Ok(number) if number.to_string() == word => Json::from(number),
                    _ => Json::String(word.to_owned()),
                },
                _ => Json::String(word.to_owned()),
            }
        }
    }
}

/// QEMU's JSON has strings in single quotes, too: the same text as everybody else's JSON.
fn double_quoted(text: &str) -> String {
    let mut output = String::with_capacity(text.len());
    let mut quote = None;
    let mut rest = text.chars();
    while let Some(c) = rest.next() {
        match (c, quote) {
            ('\'' | '"', None) => {
                quote = Some(c);
                output.push('"');
            }
            (c, Some(open)) if c == open => {
                quote = None;
                output.push('"');
            }
            ('"', Some(_)) => output.push_str("\\\""),
            ('\\', Some(_)) => match rest.next() {
                Some('\'') => output.push('\''),
                Some(escaped) => output.extend(['\\', escaped]),
                None => output.push('\\'),
            },
            _ => output.push(c),
        }
    }
    output
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(text: &str, implied: &'static str) -> Value {
        Value::parse(text, implied)
    }

    #[test]
    fn a_list_is_read_as_qemu_reads_it() {
        let value = list("socket,id=a,path=/x,,y,server,nowait,path=/z", "backend");
        let get = |key: &str| value.get(key);
        assert_eq!(get("backend").as_deref(), Some("socket"));
        assert_eq!(get("path").as_deref(), Some("/z"));
        assert_eq!((value.is_on("server"), value.is_on("wait")), (Some(true), Some(false)));
        assert_eq!((get("host"), value.is_on("telnet")), (None, None));
        assert_eq!(value.keys(), ["backend", "id", "path", "server", "nowait", "path"]);
        assert_eq!(list("a,,b,x=1", "guest").get("guest").as_deref(), Some("a,b"));
        assert_eq!(list("driver=x,id=a=b", "driver").get("id").as_deref(), Some("a=b"));
        assert_eq!(list("", "type").get("type"), None);
        assert_eq!(list("server=maybe", "").is_on("server"), None);
    }

    #[test]
    fn json_is_read_by_the_same_names() {
        let value = list(
            r#"{"driver":"nbd","server":{"type":"unix","path":"/a,b"},"read-only":true,"n":7,"a":["x"]}"#,
            "",
        );
        assert_eq!(value.get("server.path").as_deref(), Some("/a,b"));
        assert_eq!(value.get("read-only").as_deref(), Some("on"));
        assert_eq!(value.get("n").as_deref(), Some("7"));
        assert_eq!(value.get("a.0").as_deref(), Some("x"));
        assert_eq!(value.keys(), ["driver", "server.type", "server.path", "read-only", "n", "a"]);
        let single = list(r#"{'driver': 'a"b', 'id': 'it\'s', "x": "'"}"#, "");
        assert_eq!(single.get("driver").as_deref(), Some("a\"b"));
        assert_eq!((single.get("id"), single.get("x")), (Some("it's".into()), Some("'".into())));
        assert!(matches!(list("{not json", ""), Value::List { .. }));
    }

    #[test]
    fn a_change_leaves_the_rest_as_it_is() {
        let change = |text: &str, implied, key: &str, word: &str| {
            let mut value = list(text, implied);
            value.set(key, word);
            value.to_string()
        };
        assert_eq!(change("tcp,id=a,,b,port=1", "", "port", "2"), "tcp,id=a,,b,port=2");
        assert_eq!(change("q35,accel=tcg", "type", "type", "pc-q35-7.2"), "type=pc-q35-7.2,accel=tcg");
        assert_eq!(change("path=1,x,path=2", "", "path", "a,b"), "path=a,,b,x");
        assert_eq!(change("", "", "id", "a"), "id=a");
        assert_eq!(change("a,nowait", "a", "wait", "on"), "a,wait=on");
        assert_eq!(change(r#"{"a":{"b":"c"},"d":true}"#, "", "a.b", "x"), r#"{"a":{"b":"x"},"d":true}"#);
        assert_eq!(change(r#"{"d":true,"n":1}"#, "", "d", "off"), r#"{"d":false,"n":1}"#);
        assert_eq!(change(r#"{"n":1}"#, "", "n", "2"), r#"{"n":2}"#);
        assert_eq!(change(r#"{"n":1}"#, "", "n", "00"), r#"{"n":"00"}"#);
        assert_eq!(change(r#"{"n":1}"#, "", "a.b", "2"), r#"{"n":1,"a":{"b":"2"}}"#);
    }

    #[test]
    fn a_key_can_be_removed() {
        let without = |text: &str, key: &str| {
            let mut value = list(text, "type");
            value.remove(key);
            value.to_string()
        };
        assert_eq!(without("q35,accel=tcg,x=1", "accel"), "q35,x=1");
        assert_eq!(without("q35,accel=tcg", "type"), "accel=tcg");
        assert_eq!(without(r#"{"a":{"b":1,"c":2}}"#, "a.b"), r#"{"a":{"c":2}}"#);
        assert_eq!(without(r#"{"a":1}"#, "x.y"), r#"{"a":1}"#);
    }
}
