//! A `-readconfig` file: groups of `key = "value"`, and the options that they stand for.
//!
//! Pure: text in, options out.

use super::options;
use super::{Argument, Value};

/// The options of a configuration file, in order.
///
/// # Errors
/// A sentence that says which line QEMU would not read.
pub fn parse(text: &str) -> Result<Vec<Argument>, String> {
    let mut groups: Vec<Group> = Vec::new();
    for (number, line) in text.lines().enumerate() {
        // QEMU knows comments and empty lines only from the first column on.
        let content = line.trim_end();
        if content.is_empty() || line.starts_with('#') {
            continue;
        }
        let wrong = || format!("line {} is neither a group nor `key = \"value\"`: `{line}`", number + 1);
        if let Some(header) = content.strip_prefix('[') {
            groups.push(header.strip_suffix(']').and_then(group).ok_or_else(wrong)?);
        } else {
            let setting = setting(content).ok_or_else(wrong)?;
            let Some(group) = groups.last_mut() else {
                return Err(format!("line {} comes before the first group: `{line}`", number + 1));
            };
            group.settings.push(setting);
        }
    }
    Ok(groups.into_iter().map(Group::option).collect())
}

struct Group {
    name: String,
    id: Option<String>,
    settings: Vec<(String, String)>,
}

impl Group {
    fn option(self) -> Argument {
        let Self { name, id, settings } = self;
        let mut value = Value::parse("", "");
        for (key, word) in settings.into_iter().chain(id.map(|id| ("id".to_owned(), id))) {
            value.set(&key, &word);
        }
        Argument::new(options::of_group(&name), Some(&value.to_string()))
    }
}

/// `chardev "id"` or `machine`.
fn group(header: &str) -> Option<Group> {
    let (name, id) = match header.split_once('"') {
        Some((name, rest)) => (name.trim(), Some(rest.strip_suffix('"')?.to_owned())),
        None => (header, None),
    };
    let is_word = !name.is_empty() && !name.contains(char::is_whitespace);
    is_word.then(|| Group { name: name.to_owned(), id, settings: Vec::new() })
}

/// `key = "value"`; a value has no quotes in it.
fn setting(line: &str) -> Option<(String, String)> {
    let (key, rest) = line.split_once('=')?;
    let value = rest.trim_start().strip_prefix('"')?.split_once('"')?.0;
    let key = key.trim();
    let is_word = !key.is_empty() && !key.contains(char::is_whitespace);
    is_word.then(|| (key.to_owned(), value.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(text: &str) -> Vec<String> {
        parse(text).unwrap().iter().map(Argument::line).collect()
    }

    #[test]
    fn a_group_is_an_option() {
        let text = "# a comment\n\n[machine]\n  type = \"q35\"\n  accel = \"tcg\"\n[memory]\n  size = \"1G\"\n\
                    [chardev \"m,1\"]\n  backend = \"socket\"\n  path = \"/a,b\"\n  server = \"on\"\n\
                    [mon \"x\"]\n  chardev = \"m,1\"\n  mode=\"control\"\n[boot-opts]\n  menu = \"\"\n";
        assert_eq!(
            lines(text),
            [
                "-machine type=q35,accel=tcg",
                "-m size=1G",
                "-chardev backend=socket,path=/a,,b,server=on,id=m,,1",
                "-mon chardev=m,,1,mode=control,id=x",
                "-boot menu=",
            ]
        );
        assert_eq!(lines(""), Vec::<String>::new());
    }

    #[test]
    fn what_qemu_would_not_read_is_named() {
        let wrong = |text: &str| parse(text).unwrap_err();
        assert_eq!(wrong("a = \"b\""), "line 1 comes before the first group: `a = \"b\"`");
        for line in ["[machine", "[]", "[chardev \"a]", "type q35", "type = q35", " = \"x\""] {
            let text = format!("[machine]\n{line}\n");
            assert_eq!(wrong(&text), format!("line 2 is neither a group nor `key = \"value\"`: `{line}`"));
        }
    }
}
