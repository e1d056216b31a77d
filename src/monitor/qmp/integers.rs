//! JSON with integers that are never rounded.
//!
//! Pure: text to value.

use serde_json::Value;

/// Read JSON. An integer that fits neither `i64` nor `u64` becomes the string of its digits.
pub(super) fn parse_exact(text: &str) -> serde_json::Result<Value> {
    match serde_json::from_str(text) {
        Ok(value) if !may_be_rounded(&value) => Ok(value),
        // Either a number is too large, or the text is wrong in another way, which the second reading tells.
        _ => serde_json::from_str(&quote_long_integers(text)),
    }
}

/// An integer that fits neither `i64` nor `u64` was read as a float of at least this size.
fn may_be_rounded(value: &Value) -> bool {
    const TWO_TO_THE_63: f64 = 9_223_372_036_854_775_808.0;
    match value {
        Value::Number(number) => number.is_f64() && number.as_f64().is_some_and(|n| n.abs() >= TWO_TO_THE_63),
        Value::Array(values) => values.iter().any(may_be_rounded),
        Value::Object(members) => members.values().any(may_be_rounded),
        _ => false,
    }
}

fn quote_long_integers(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 16);
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let length = match first {
            '"' => string_length(rest),
            '-' | '0'..='9' => rest
                .find(|c: char| !matches!(c, '-' | '+' | '.' | 'e' | 'E' | '0'..='9'))
                .unwrap_or(rest.len()),
            _ => first.len_utf8(),
        };
        let (token, after) = rest.split_at(length);
        if is_long_integer(token) {
            quoted.extend(["\"", token, "\""]);
        } else {
            quoted.push_str(token);
        }
        rest = after;
    }
    quoted
}

/// The length of the JSON string that `text` starts with, quotes included.
fn string_length(text: &str) -> usize {
    let mut escaped = false;
    for (at, byte) in text.bytes().enumerate().skip(1) {
        match byte {
            b'"' if !escaped => return at + 1,
            b'\\' => escaped = !escaped,
            _ => escaped = false,
        }
    }
    text.len()
}

fn is_long_integer(token: &str) -> bool {
    let digits = token.strip_prefix('-').unwrap_or(token);
    matches!(digits.as_bytes(), [b'1'..=b'9', more @ ..] if more.iter().all(u8::is_ascii_digit))
        && token.parse::<i64>().is_err()
        && token.parse::<u64>().is_err()
}
