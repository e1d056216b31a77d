//! The page: an account of a run as HTML that is well-formed XML, too. Pure.

mod exchanges;
mod migrations;

use std::fmt::{self, Write};

use super::account::{Account, Ending, Guest, What};
use super::figures::{date, time};
use super::markup::Text;

const STYLE: &str = include_str!("page.css");

/// The whole page.
pub fn page(account: &Account, ending: &Ending) -> String {
    let mut page = String::new();
    // A string takes whatever is written to it.
    let _ = write(&mut page, account, ending);
    page
}

fn write(page: &mut String, account: &Account, ending: &Ending) -> fmt::Result {
    let title = Text(&account.title);
    let (class, result) = match ending {
        Ending::Well(_) => ("well", "ok".to_owned()),
        Ending::Early(how) => ("early", how.clone()),
        Ending::Badly(_, code) => ("bad", format!("failed, exit code {code}")),
    };
    // No program runs on it, and nothing is fetched, even if somebody finds a way to write markup into it.
    write!(
        page,
        "<!DOCTYPE html>\n<html xmlns=\"http://www.w3.org/1999/xhtml\" lang=\"en\">\n<head>\n<meta charset=\"utf-8\"/>\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\"/>\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"/>\n<title>{title}: {result}</title>\n\
         <style>{STYLE}</style>\n</head>\n<body>\n<main>\n<header>\n<h1>{title} <span class=\"badge {class}\">{}</span></h1>\n\
         <p class=\"soft\">{}, qhop {}</p>\n</header>\n",
        Text(&result),
        date(account.start),
        env!("CARGO_PKG_VERSION"),
        result = Text(&result),
    )?;
    match ending {
        Ending::Badly(error, _) => writeln!(page, "<pre class=\"error\">{}</pre>", Text(error.trim_end()))?,
        Ending::Well(value) if !value.is_empty() => {
            writeln!(page, "<h2>Outcome</h2>\n<pre>{}</pre>", Text(value))?;
        }
        Ending::Well(_) | Ending::Early(_) => {}
    }
    printed(page, account)?;
    migrations::write(page, account)?;
    steps(page, account)?;
    guests(page, account)?;
    exchanges::write(page, account)?;
    write!(
        page,
        "<h2>Recipe</h2>\n<details><summary>{title}</summary>\n<pre>{}</pre></details>\n\
         <footer>Written by qhop. The page holds no script and loads nothing.</footer>\n</main>\n</body>\n</html>\n",
        Text(&account.recipe)
    )
}

fn printed(page: &mut String, account: &Account) -> fmt::Result {
    let lines = account.lines.all().filter_map(|line| match &line.what {
        What::Printed(text) => Some(text.as_str()),
        _ => None,
    });
    let text: Vec<&str> = lines.collect();
    if text.is_empty() {
        return Ok(());
    }
    writeln!(page, "<h2>Output</h2>\n<pre>{}</pre>", Text(&text.join("\n")))
}

fn steps(page: &mut String, account: &Account) -> fmt::Result {
    let mut steps = account.lines.all().filter_map(|line| match &line.what {
        What::Step(name, details) => Some((line.at, name, details)),
        _ => None,
    });
    let Some(first) = steps.next() else { return Ok(()) };
    page.push_str("<h2>Steps</h2>\n<table>\n<tr><th class=\"time\">at</th><th>step</th><th></th></tr>\n");
    for (at, name, details) in std::iter::once(first).chain(steps) {
        let said = |key: &str| details[key].as_str().or(details[key]["name"].as_str());
        let words: Vec<String> = ["source", "target", "throwaway", "mode", "was", "path"]
            .into_iter()
            .filter_map(|key| said(key).map(|value| format!("{key}: {value}")))
            .collect();
        writeln!(
            page,
            "<tr><td class=\"time\">{}</td><td class=\"step\">{}</td><td class=\"soft\">{}</td></tr>",
            time(at - account.start),
            Text(name),
            Text(&words.join(", "))
        )?;
    }
    page.push_str("</table>\n");
    Ok(())
}

fn guests(page: &mut String, account: &Account) -> fmt::Result {
    if account.guests.is_empty() {
        return Ok(());
    }
    page.push_str("<h2>QEMUs</h2>\n");
    for guest in &account.guests {
        one(page, guest)?;
    }
    Ok(())
}

fn one(page: &mut String, guest: &Guest) -> fmt::Result {
    let pid = guest.pid.map(|pid| format!(", process {pid}")).unwrap_or_default();
    let ended = guest.ended.as_ref().map(|how| format!(", {how}")).unwrap_or_default();
    let about = format!("QEMU {}, {}{pid}{ended}", guest.version, guest.machine);
    writeln!(
        page,
        "<details><summary>{} <span class=\"soft\">{}</span></summary>",
        Text(&guest.name),
        Text(&about)
    )?;
    let command = shell_words::join(std::iter::once(&guest.qemu).chain(&guest.args));
    for (title, text) in
        [("Command line", &command), ("Standard error", &guest.stderr), ("Console", &guest.console)]
    {
        if text.trim().is_empty() {
            writeln!(page, "<h3>{title}</h3>\n<p class=\"soft\">nothing that qhop knows of</p>")?;
        } else {
            writeln!(page, "<h3>{title}</h3>\n<pre>{}</pre>", Text(text.trim_end()))?;
        }
    }
    page.push_str("</details>\n");
    Ok(())
}

#[cfg(test)]
mod tests;
