//! A value as a reader wants to see it at the prompt: in the script's own notation, on one line if it fits.

use std::fmt::Write;
use std::time::Duration;

use rhai::{Array, Dynamic, FnPtr, Map};

use super::names::type_word;
use crate::units::Seconds;
use crate::vm::Vm;

/// What nobody reads to its end is cut here.
const MAX_LINES: usize = 300;
const MAX_DEPTH: usize = 64;

/// The value in lines of `width` cells, as far as that goes; nothing for `()`.
#[must_use]
pub fn show(value: &Dynamic, width: usize) -> String {
    if value.is_unit() {
        return String::new();
    }
    // Lines are for reading, such as what a human monitor prints.
    let text = match value.clone().into_string() {
        Ok(text) if text.contains('\n') => text.trim_end().to_owned(),
        _ => {
            let mut text = String::new();
            write(&mut text, value, width, 0, 0);
            text
        }
    };
    let lines = text.lines().count();
    if lines <= MAX_LINES {
        return text;
    }
    let kept: Vec<&str> = text.lines().take(MAX_LINES).collect();
    format!("{}\n… {} more lines; `print(…)` shows all", kept.join("\n"), lines - MAX_LINES)
}

/// On one line, cut after so many characters.
#[must_use]
pub fn brief(value: &Dynamic, length: usize) -> String {
    let text = line(value, 0);
    if text.chars().count() <= length {
        return text;
    }
    text.chars().take(length.saturating_sub(1)).chain(['…']).collect()
}

fn write(out: &mut String, value: &Dynamic, width: usize, indent: usize, depth: usize) {
    let value = value.flatten_clone();
    let short = line(&value, depth);
    // The bracket or the comma that follows needs a cell, too.
    if indent + short.chars().count() < width || depth == MAX_DEPTH {
        out.push_str(&short);
        return;
    }
    let inner = indent + 2;
    if let Some(items) = value.read_lock::<Array>() {
        out.push_str("[\n");
        for item in items.iter() {
            let _ = write!(out, "{:inner$}", "");
            write(out, item, width, inner, depth + 1);
            out.push_str(",\n");
        }
        let _ = write!(out, "{:indent$}]", "");
    } else if let Some(members) = value.read_lock::<Map>() {
        out.push_str("#{\n");
        for (name, member) in members.iter() {
            let name = key(name);
            let _ = write!(out, "{:inner$}{name}: ", "");
            write(out, member, width, inner, depth + 1);
            out.push_str(",\n");
        }
        let _ = write!(out, "{:indent$}}}", "");
    } else {
        out.push_str(&short);
    }
}

fn line(value: &Dynamic, depth: usize) -> String {
    let value = value.flatten_clone();
    if depth == MAX_DEPTH {
        return "…".to_owned();
    }
    if let Some(items) = value.read_lock::<Array>() {
        let items: Vec<String> = items.iter().map(|item| line(item, depth + 1)).collect();
        return format!("[{}]", items.join(", "));
    }
    if let Some(members) = value.read_lock::<Map>() {
        let members: Vec<String> = members
            .iter()
            .map(|(name, member)| format!("{}: {}", key(name), line(member, depth + 1)))
            .collect();
        return if members.is_empty() { "#{}".to_owned() } else { format!("#{{ {} }}", members.join(", ")) };
    }
    scalar(&value)
}

fn scalar(value: &Dynamic) -> String {
    if value.is_unit() {
        return "()".to_owned();
    }
    if value.is_string() || value.is_char() {
        return format!("{:?}", value.to_string());
    }
    if let Some(duration) = value.read_lock::<Duration>() {
        return Seconds(*duration).to_string();
    }
    if let Some(vm) = value.read_lock::<Vm>() {
        let process = vm.pid().map(|pid| format!(", process {pid}")).unwrap_or_default();
        let ended = vm.ended().map(|how| format!(", {how}")).unwrap_or_default();
        return format!("vm `{}` (QEMU {}, {}{process}{ended})", vm.name(), vm.version(), vm.machine());
    }
    if value.is::<FnPtr>() {
        return "closure".to_owned();
    }
    // What cannot be printed shows the name of its type in Rust.
    match value.to_string() {
        text if text == value.type_name() => format!("a `{}`", type_word(&text)),
        text => text,
    }
}

fn key(name: &str) -> String {
    if rhai::is_valid_identifier(name) { name.to_owned() } else { format!("{name:?}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(script: &str, width: usize) -> String {
        show(&rhai::Engine::new().eval::<Dynamic>(script).unwrap(), width)
    }

    #[test]
    fn values_are_shown_as_they_are_written() {
        for (script, wanted) in [
            ("()", ""),
            ("1", "1"),
            ("2.0", "2.0"),
            ("\"a\\\"b\"", "\"a\\\"b\""),
            ("#{}", "#{}"),
            ("#{ a: 1, \"b c\": [true, ()] }", "#{ a: 1, \"b c\": [true, ()] }"),
            ("\"VM status: running\\r\\n\\nmore\\n\"", "VM status: running\r\n\nmore"),
            ("|x| x", "closure"),
        ] {
            assert_eq!(shown(script, 80), wanted, "{script}");
        }
    }

    #[test]
    fn what_does_not_fit_is_broken() {
        assert_eq!(shown("#{ a: [1, 2], bb: 100 }", 12), "#{\n  a: [1, 2],\n  bb: 100,\n}");
        assert_eq!(shown("[[1, 2], 3]", 8), "[\n  [\n    1,\n    2,\n  ],\n  3,\n]");
    }

    #[test]
    fn nobody_is_flooded() {
        let text = shown("let a = []; for i in 0..1000 { a.push(i) } a", 20);
        assert_eq!(text.lines().count(), MAX_LINES + 1);
        assert!(text.ends_with("… 702 more lines; `print(…)` shows all"), "{text}");
    }

    #[test]
    fn a_brief_form_is_cut() {
        assert_eq!(brief(&"abcdefgh".into(), 6), "\"abcd…");
    }
}
