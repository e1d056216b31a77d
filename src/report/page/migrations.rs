//! The migrations of a run: each with its figures and its drawing. Pure.

use std::fmt::{self, Write};

use super::super::account::{Account, Guest};
use super::super::course::{Course, courses};
use super::super::figures::{counted, time};
use super::super::markup::Text;
use super::super::timeline;

/// How many are drawn; of more, the first and the last ones.
const DRAWN: usize = 40;

/// The section of the page.
pub fn write(page: &mut String, account: &Account) -> fmt::Result {
    let courses = courses(account);
    if courses.is_empty() {
        return Ok(());
    }
    writeln!(page, "<h2>{}</h2>", if courses.len() == 1 { "Migration" } else { "Migrations" })?;
    let left_out = courses.len().saturating_sub(DRAWN);
    for (number, course) in courses.iter().enumerate() {
        if left_out > 0 && number == DRAWN / 2 {
            writeln!(page, "<p class=\"soft\">{left_out} migrations are left out here</p>")?;
        }
        if (DRAWN / 2..DRAWN / 2 + left_out).contains(&number) {
            continue;
        }
        one(page, account, course)?;
    }
    Ok(())
}

fn one(page: &mut String, account: &Account, course: &Course) -> fmt::Result {
    let source = &account.guests[course.source];
    let target = course.target.and_then(|target| account.guests.get(target));
    let mode = course.mode.as_ref().map(|mode| format!(" by {mode}")).unwrap_or_default();
    let name = target.map_or("elsewhere", |target| &target.name);
    let class = match course.status.as_str() {
        "completed" => "well",
        "failed" | "cancelled" => "bad",
        _ => "early",
    };
    write!(
        page,
        "<section class=\"card\">\n<h3>{} → {}{} <span class=\"badge {class}\">{}</span></h3>\n\
         <p class=\"soft\">begun {} after the start of the run</p>\n",
        Text(&source.name),
        Text(name),
        Text(&mode),
        Text(&course.status),
        time(course.start - account.start),
    )?;
    figures(page, course)?;
    let labels = [label("source", Some(source)), label("target", target)];
    let labels = [labels[0].as_str(), labels[1].as_str()];
    page.push_str(&timeline::whole(course, labels));
    legend(page, course)?;
    if course.samples.len() < 3 {
        page.push_str("<p class=\"soft\">It was over too soon for curves of its figures.</p>\n");
    }
    if let Some(switch) = timeline::switch(course, labels) {
        write!(page, "<div class=\"detail\"><h3>The switch, enlarged</h3>\n{switch}</div>\n")?;
    }
    page.push_str("</section>\n");
    Ok(())
}

fn label(end: &str, guest: Option<&Guest>) -> String {
    guest.map_or_else(String::new, |guest| format!("{end}: {}, QEMU {}", guest.name, guest.version))
}

fn figures(page: &mut String, course: &Course) -> fmt::Result {
    let last = course.last();
    let count = |count: Option<u64>| count.map(|count| count.to_string());
    let shown = [
        ("first", "blackout, STOP to RESUME", course.blackout().map(time)),
        ("first", "longest gap in the heartbeat", course.gap.map(|(from, to)| time(to - from))),
        ("", "downtime that QEMU reports", last.and_then(|it| it.downtime_ms).map(time)),
        (
            "",
            "duration that QEMU reports",
            last.filter(|it| it.is_over()).and_then(|it| it.total_ms).map(time),
        ),
        ("", "RAM of the guest", last.and_then(|it| it.total).map(counted)),
        ("", "sent", last.and_then(|it| it.transferred).map(counted)),
        ("", "passes", count(last.and_then(|it| it.passes))),
        (
            "",
            "postcopy requests",
            count(last.and_then(|it| it.postcopy_requests))
                .filter(|_| course.mode.as_deref() == Some("postcopy")),
        ),
        ("", "throttle", last.and_then(|it| it.throttle).map(|throttle| format!("{throttle} %"))),
    ];
    page.push_str("<dl class=\"figures\">\n");
    for (class, name, figure) in shown {
        let Some(figure) = figure else { continue };
        writeln!(page, "<div class=\"{class}\"><dt>{name}</dt><dd>{}</dd></div>", Text(&figure))?;
    }
    page.push_str("</dl>\n");
    Ok(())
}

fn legend(page: &mut String, course: &Course) -> fmt::Result {
    let mut seen: Vec<&str> = Vec::new();
    page.push_str("<ul class=\"legend\">\n");
    for phase in course.phases.iter().flatten() {
        if !seen.contains(&phase.status.as_str()) {
            seen.push(&phase.status);
            let class = timeline::class(&phase.status);
            writeln!(page, "<li><i class=\"{class}\"></i>{}</li>", Text(&phase.status))?;
        }
    }
    if course.stop.is_some() {
        page.push_str("<li><i class=\"runs thin\"></i>the guest runs</li>\n");
        page.push_str("<li><i class=\"blackout\"></i>it runs nowhere</li>\n");
    }
    if course.samples.iter().any(|sample| sample.dirty_rate.is_some()) && course.samples.len() > 2 {
        page.push_str("<li><i class=\"sent thin\"></i>sent</li>\n<li><i class=\"dirty thin\"></i>written by the guest</li>\n");
    }
    page.push_str("</ul>\n");
    Ok(())
}
