//! Why a migration failed: from QEMU's words to cause and remedy.
//!
//! Pure: text in, text out; the table is in `messages`. It never asks QEMU anything.

mod messages;

use std::fmt;

use messages::{MESSAGES, NOISE, Row, SUBJECTS, VERSIONS};

/// What a message of QEMU's means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Explanation {
    /// The line that was explained, without the program's name in front.
    pub message: String,
    /// What is wrong.
    pub cause: String,
    /// What to do about it.
    pub remedy: String,
}

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}\ncause: {}\nhint: {}", self.message, self.cause, self.remedy)
    }
}

/// Explain an error of QEMU's: the tail of its standard error, an `error-desc` or the reply of a monitor.
///
/// Of several messages it takes the one that says most, and of equals the first: QEMU reports the root before
/// what follows from it. With the texts of both ends, the target's goes first. `None` if no line is known.
#[must_use]
pub fn explain(text: &str) -> Option<Explanation> {
    let lines: Vec<&str> = text.lines().map(message).collect();
    let (_, line, row, captures) = lines
        .iter()
        .filter_map(|line| {
            // A warning alone ends nothing: it is only taken if there is nothing else.
            let warning = line.starts_with("warning: ");
            MESSAGES
                .iter()
                .filter_map(|row| Some(((warning, row.rank), *line, row, find(row.pattern, line)?)))
                .min_by_key(|(weight, ..)| *weight)
        })
        .min_by_key(|(weight, ..)| *weight)?;
    let Row { cause, remedy, .. } = row;
    let [cause, remedy] = [cause, remedy].map(|template| fill(template, &captures, &lines));
    Some(Explanation { message: line.to_owned(), cause, remedy })
}

/// The last `lines` lines that say something, for a text that nothing explains.
#[must_use]
pub fn tail(text: &str, lines: usize) -> String {
    let said = |line: &&str| !line.is_empty() && !NOISE.iter().any(|noise| line.contains(noise));
    let mut kept: Vec<&str> = text.lines().map(message).filter(said).collect();
    kept.dedup();
    kept.split_off(kept.len().saturating_sub(lines)).join("\n")
}

/// A line without what QEMU puts in front: time, name of the guest, name of the program; `Error: ` in the
/// human monitor.
fn message(line: &str) -> &str {
    let mut rest = line.trim();
    if let Some((time, after)) = rest.split_once(' ')
        && time.starts_with(|c: char| c.is_ascii_digit())
        && time.contains('T')
        && time.ends_with('Z')
    {
        rest = after;
    }
    // QEMU 5.2 was seen to print the name twice, when two threads reported at once.
    while let Some((head, after)) = rest.split_once(':') {
        let program = head.rsplit(' ').next().unwrap_or(head);
        let in_front = head.split(' ').count() <= 2;
        let name = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
        if !(in_front && (program.starts_with("qemu") || program == "kvm") && program.chars().all(name)) {
            break;
        }
        rest = after.trim_start();
    }
    rest.strip_prefix("Error: ").unwrap_or(rest)
}

/// What the `{}` of a pattern stand for in a line, if the line contains the pattern.
fn find<'a>(pattern: &str, line: &'a str) -> Option<Vec<&'a str>> {
    let mut literals = pattern.split("{}");
    let first = literals.next()?;
    let mut start = line.find(if first.is_empty() { literals.clone().next()? } else { first })?;
    if first.is_empty() {
        // A capture at the start is the word before the first literal.
        start = line[..start].rfind(' ').map_or(0, |space| space + 1);
    }
    let mut rest = &line[start + first.len()..];
    let mut captures = Vec::new();
    for literal in literals {
        let end = if literal.is_empty() { rest.len() } else { rest.find(literal)? };
        captures.push(rest[..end].trim().trim_end_matches('.'));
        rest = &rest[end + literal.len()..];
    }
    Some(captures)
}

/// A template with its `{…}` put in: captures (`{0}`, `{1:size}`) and subjects (`{device}`).
fn fill(template: &str, captures: &[&str], lines: &[&str]) -> String {
    let mut text = String::new();
    let mut rest = template;
    while let Some((before, after)) = rest.split_once('{')
        && let Some((key, after)) = after.split_once('}')
    {
        text += before;
        text += &value(key, captures, lines);
        rest = after;
    }
    text + rest
}

fn value(key: &str, captures: &[&str], lines: &[&str]) -> String {
    if let Some((_, pattern, default)) = SUBJECTS.iter().find(|(subject, ..)| *subject == key) {
        let found = lines.iter().find_map(|line| find(pattern, line)?.into_iter().next());
        return found.map_or_else(|| (*default).to_owned(), |subject| format!("`{subject}`"));
    }
    let (index, filter) = key.split_once(':').unwrap_or((key, ""));
    let capture = |index: &str| index.parse().ok().and_then(|i: usize| captures.get(i).copied());
    let text = capture(index).unwrap_or("…");
    match filter {
        "size" => size(text),
        "name" => name(text),
        "addr" => address(text),
        "since" => since(text),
        "missing" => missing_bits(text, capture("1").unwrap_or_default()),
        _ => text.to_owned(),
    }
}

/// A number of bytes as `-m` takes it: `0x10000000: Invalid argument` is `256M`.
fn size(hex: &str) -> String {
    let digits = hex.trim_start_matches("0x");
    let end = digits.find(|c: char| !c.is_ascii_hexdigit()).unwrap_or(digits.len());
    let Ok(bytes) = u64::from_str_radix(&digits[..end], 16) else { return hex.to_owned() };
    [(30, "G"), (20, "M"), (10, "K")]
        .into_iter()
        .find(|(shift, _)| bytes > 0 && bytes.trailing_zeros() >= *shift)
        .map_or_else(|| format!("{bytes} bytes"), |(shift, unit)| format!("{}{unit}", bytes >> shift))
}

/// The last part of a path: `0000:00:02.0/virtio-net` is `virtio-net`.
fn name(path: &str) -> String {
    path.rsplit('/').next().unwrap_or(path).to_owned()
}

/// A PCI slot and function as `-device` takes them, on the last bus of a path: `1c.0:03.1` is `addr=0x3.0x1`.
fn address(slot: &str) -> String {
    let last = slot.rsplit(':').next().unwrap_or(slot);
    let number = |hex| u32::from_str_radix(hex, 16).ok();
    let parts = last.split_once('.').and_then(|(slot, function)| Some((number(slot)?, number(function)?)));
    match parts {
        Some((slot, 0)) => format!("addr={slot:#x}"),
        Some((slot, function)) => format!("addr={slot:#x}.{function:#x}"),
        None => "addr=…".to_owned(),
    }
}

/// The version that brought or dropped something, in brackets; empty where that is not known.
fn since(name: &str) -> String {
    let version = VERSIONS.iter().find(|(known, _)| *known == name);
    version.map_or_else(String::new, |(_, version)| format!(" ({version})"))
}

/// The numbers of the bits that are set in one hexadecimal number and not in the other.
fn missing_bits(used: &str, allowed: &str) -> String {
    let number = |hex| u128::from_str_radix(hex, 16).unwrap_or_default();
    let missing = number(used) & !number(allowed);
    let bits: Vec<String> =
        (0..128).filter(|bit| missing >> bit & 1 == 1).map(|bit| bit.to_string()).collect();
    bits.join(", ")
}

#[cfg(test)]
mod tests;
