//! What was said: the exchanges with the monitors, the events, the effects, in order. Pure.

use std::fmt::{self, Write};

use serde_json::Value;

use super::super::account::{Account, Line, What};
use super::super::figures::short;
use super::super::markup::Text;

/// The longest text that stands in a row; what is longer unfolds.
const SHORT: usize = 100;
/// So many looks at the same thing in a row are shown as they are; of more, the first and the last one.
const LOOKS: usize = 3;

/// The section of the page.
pub fn write(page: &mut String, account: &Account) -> fmt::Result {
    let rows = rows(account);
    if rows.is_empty() {
        return Ok(());
    }
    write!(
        page,
        "<h2>What was said and done</h2>\n<details><summary>{} exchanges with monitors, {} events, {} effects</summary>\n\
         <p class=\"soft\">Times are of the answer. Replies of more than 1 KiB are cut, which a … at the end says; of looks at \
         the same thing that follow each other, the first and the last one are shown.</p>\n<table>\n",
        count(&rows, Kind::Exchange),
        count(&rows, Kind::Event),
        count(&rows, Kind::Effect)
    )?;
    let mut at = 0;
    while at < rows.len() {
        let same = rows[at..].iter().take_while(|row| row.is_look() && row.asks_as(&rows[at])).count();
        if same > LOOKS {
            rows[at].write(page, account)?;
            gap(page, &format!("{} times more", same - 2))?;
            rows[at + same - 1].write(page, account)?;
            at += same;
        } else {
            rows[at].write(page, account)?;
            at += 1;
        }
    }
    page.push_str("</table></details>\n");
    Ok(())
}

fn gap(page: &mut String, text: &str) -> fmt::Result {
    writeln!(page, "<tr><td></td><td></td><td class=\"soft\">{text}</td></tr>")
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Kind {
    Exchange,
    Event,
    Effect,
    LeftOut(usize),
}

struct Row<'a> {
    kind: Kind,
    at: f64,
    who: &'a str,
    asked: String,
    answer: String,
    refused: bool,
}

fn count(rows: &[Row], kind: Kind) -> usize {
    rows.iter().filter(|row| row.kind == kind).count()
}

fn rows(account: &Account) -> Vec<Row<'_>> {
    let lines = &account.lines;
    let mut rows: Vec<Row> = lines.first().iter().filter_map(|line| row(account, line)).collect();
    if lines.left_out > 0 {
        let kind = Kind::LeftOut(lines.left_out);
        rows.push(Row {
            kind,
            at: 0.0,
            who: "",
            asked: String::new(),
            answer: String::new(),
            refused: false,
        });
    }
    rows.extend(lines.last().filter_map(|line| row(account, line)));
    rows
}

fn row<'a>(account: &'a Account, line: &'a Line) -> Option<Row<'a>> {
    let at = line.at;
    match &line.what {
        // What a monitor was asked stands beside its answer.
        What::Effect(effect) if !effect.starts_with("ask `") => Some(Row {
            kind: Kind::Effect,
            at,
            who: "",
            asked: effect.clone(),
            answer: String::new(),
            refused: false,
        }),
        What::Exchange(guest, text) => {
            let who = account.guests.get(*guest).map_or("", |guest| &guest.name);
            let noted: Value = serde_json::from_str(text).unwrap_or_default();
            let plain = |value: &Value| match value {
                Value::String(text) => text.clone(),
                Value::Null => String::new(),
                Value::Object(members) if members.is_empty() => String::new(),
                other => other.to_string(),
            };
            if let Some(event) = noted.get("event") {
                let asked = event["event"].as_str().unwrap_or_default().to_owned();
                return Some(Row {
                    kind: Kind::Event,
                    at,
                    who,
                    asked,
                    answer: plain(&event["data"]),
                    refused: false,
                });
            }
            let asked = match noted["line"].as_str() {
                Some(line) => format!("(qemu) {line}"),
                None => {
                    format!(
                        "{} {}",
                        noted["command"].as_str().unwrap_or_default(),
                        plain(&noted["arguments"])
                    )
                }
            };
            let answers = ["reply", "printed", "error"].map(|key| plain(&noted[key]));
            let refused = noted.get("error").is_some();
            Some(Row {
                kind: Kind::Exchange,
                at,
                who,
                asked: asked.trim_end().to_owned(),
                answer: answers.concat(),
                refused,
            })
        }
        _ => None,
    }
}

impl Row<'_> {
    fn is_look(&self) -> bool {
        self.kind == Kind::Exchange
            && ["query-", "(qemu) info"].iter().any(|start| self.asked.starts_with(start))
    }

    fn asks_as(&self, other: &Self) -> bool {
        (self.kind, self.who, &self.asked) == (other.kind, other.who, &other.asked)
    }

    fn write(&self, page: &mut String, account: &Account) -> fmt::Result {
        if let Kind::LeftOut(lines) = self.kind {
            return gap(page, &format!("{lines} lines are left out here"));
        }
        let class = match self.kind {
            Kind::Event => "event",
            _ if self.refused => "refused",
            _ => "",
        };
        write!(
            page,
            "<tr><td class=\"time\">{} ms</td><td class=\"who\">{}</td><td class=\"{class}\">",
            short(self.at - account.start),
            Text(self.who)
        )?;
        let arrow = match self.kind {
            _ if self.answer.is_empty() => "",
            Kind::Event => " ",
            _ => " → ",
        };
        if self.asked.len() + self.answer.len() <= SHORT && !self.answer.contains('\n') {
            write!(page, "<code>{}{arrow}{}</code>", Text(&self.asked), Text(&self.answer))?;
        } else {
            let start: String = self.asked.chars().take(SHORT).collect();
            let more =
                if start.len() < self.asked.len() { format!("{}\n\n", self.asked) } else { String::new() };
            write!(
                page,
                "<details><summary><code>{}{} …</code></summary>\n<pre>{}{}</pre></details>",
                Text(&start),
                arrow.trim_end(),
                Text(&more),
                Text(self.answer.trim_end())
            )?;
        }
        page.push_str("</td></tr>\n");
        Ok(())
    }
}
