//! What the human monitor says about a migration: `info migrate`, in both of its layouts.
//!
//! Pure: the reply to the object that `query-migrate` would answer, with QMP's names and units. It holds what
//! the text says and nothing else. QEMU leaves out some figures that are zero; sizes are whole KiB before
//! 10.1 and have three digits since.

use serde_json::{Map, Number, Value, json};

use super::info::unreadable;

const QUESTION: &str = "info migrate";

/// A figure: the label of its line, its key within the line, and where QMP has it.
type Row = (&'static str, &'static str, &'static [&'static str]);

/// The layout up to 10.0: one figure a line.
const UP_TO_10_0: &[Row] = &[
    ("total time", "", &["total-time"]),
    ("expected downtime", "", &["expected-downtime"]),
    ("downtime", "", &["downtime"]),
    ("setup", "", &["setup-time"]),
    ("transferred ram", "", &["ram", "transferred"]),
    ("throughput", "", &["ram", "mbps"]),
    ("remaining ram", "", &["ram", "remaining"]),
    ("total ram", "", &["ram", "total"]),
    ("duplicate", "", &["ram", "duplicate"]),
    ("skipped", "", &["ram", "skipped"]),
    ("normal", "", &["ram", "normal"]),
    ("normal bytes", "", &["ram", "normal-bytes"]),
    ("dirty sync count", "", &["ram", "dirty-sync-count"]),
    ("page size", "", &["ram", "page-size"]),
    ("multifd bytes", "", &["ram", "multifd-bytes"]),
    ("pages-per-second", "", &["ram", "pages-per-second"]),
    ("dirty pages rate", "", &["ram", "dirty-pages-rate"]),
    ("postcopy request count", "", &["ram", "postcopy-requests"]),
    ("precopy ram", "", &["ram", "precopy-bytes"]),
    ("downtime ram", "", &["ram", "downtime-bytes"]),
    ("postcopy ram", "", &["ram", "postcopy-bytes"]),
    ("Zero-copy-send fallbacks happened", "", &["ram", "dirty-sync-missed-zero-copy"]),
    ("transferred disk", "", &["disk", "transferred"]),
    ("remaining disk", "", &["disk", "remaining"]),
    ("total disk", "", &["disk", "total"]),
    ("cache size", "", &["xbzrle-cache", "cache-size"]),
    ("xbzrle transferred", "", &["xbzrle-cache", "bytes"]),
    ("xbzrle pages", "", &["xbzrle-cache", "pages"]),
    ("xbzrle cache miss", "", &["xbzrle-cache", "cache-miss"]),
    ("xbzrle cache miss rate", "", &["xbzrle-cache", "cache-miss-rate"]),
    ("xbzrle encoding rate", "", &["xbzrle-cache", "encoding-rate"]),
    ("xbzrle overflow", "", &["xbzrle-cache", "overflow"]),
    ("compression pages", "", &["compression", "pages"]),
    ("compression busy", "", &["compression", "busy"]),
    ("compression busy rate", "", &["compression", "busy-rate"]),
    ("compressed size", "", &["compression", "compressed-size"]),
    ("compression rate", "", &["compression", "compression-rate"]),
    ("cpu throttle percentage", "", &["cpu-throttle-percentage"]),
    ("dirty-limit throttle time", "", &["dirty-limit-throttle-time-per-round"]),
    ("dirty-limit ring full time", "", &["dirty-limit-ring-full-time"]),
    ("postcopy blocktime", "", &["postcopy-blocktime"]),
    ("vfio device transferred", "", &["vfio", "transferred"]),
];

/// The layout since 10.1: figures of one kind in a line.
const SINCE_10_1: &[Row] = &[
    ("Time (ms)", "total", &["total-time"]),
    ("Time (ms)", "setup", &["setup-time"]),
    ("Time (ms)", "exp_down", &["expected-downtime"]),
    ("Time (ms)", "down", &["downtime"]),
    ("Remaining", "", &["remaining"]),
    ("Throughput (Mbps)", "", &["ram", "mbps"]),
    ("Sizes", "pagesize", &["ram", "page-size"]),
    ("Sizes", "total", &["ram", "total"]),
    ("Transfers", "transferred", &["ram", "transferred"]),
    ("Transfers", "remain", &["ram", "remaining"]),
    ("Channels", "precopy", &["ram", "precopy-bytes"]),
    ("Channels", "multifd", &["ram", "multifd-bytes"]),
    ("Channels", "postcopy", &["ram", "postcopy-bytes"]),
    ("Channels", "vfio", &["vfio", "transferred"]),
    ("Page Types", "normal", &["ram", "normal"]),
    ("Page Types", "zero", &["ram", "duplicate"]),
    ("Page Rates (pps)", "transfer", &["ram", "pages-per-second"]),
    ("Page Rates (pps)", "dirty", &["ram", "dirty-pages-rate"]),
    ("Others", "dirty_syncs", &["ram", "dirty-sync-count"]),
    ("Others", "postcopy_req", &["ram", "postcopy-requests"]),
    ("Others", "downtime_bytes", &["ram", "downtime-bytes"]),
    ("Others", "zerocopy_fallbacks", &["ram", "dirty-sync-missed-zero-copy"]),
];

/// The reply to `info migrate` as `query-migrate` would answer it. Without a migration, it has no `status`.
///
/// What is not known is passed over: the two layouts may get more lines.
///
/// # Errors
/// A clause about the peer, such as "it sent `total time: x` for `info migrate`".
pub fn migration(reply: &str) -> Result<Value, String> {
    let mut migration = Map::new();
    let mut lines = reply.lines();
    while let Some(line) = lines.next() {
        let Some((label, said)) = line.split_once(':') else { continue };
        match (label.trim(), said.trim()) {
            ("Migration status" | "Status", status) => read_status(&mut migration, status, &mut lines),
            ("Outgoing migration blocked", "") => {
                let reasons = lines.clone().map_while(|line| line.strip_prefix("  "));
                migration.insert("blocked-reasons".into(), reasons.clone().collect());
                lines.by_ref().take(reasons.count()).for_each(drop);
            }
            ("socket address" | "Sockets", "[") => {
                let addresses = lines.by_ref().take_while(|line| *line != "]");
                migration.insert("socket-address".into(), addresses.map(socket_address).collect());
            }
            (label, said) => read_figures(&mut migration, label, said)?,
        }
    }
    // The old layout prints a time that QMP does not have as 0. QMP has the set-up time along with it.
    if migration.get("total-time") == Some(&json!(0)) && !migration.contains_key("setup-time") {
        migration.shift_remove("total-time");
    }
    Ok(Value::Object(migration))
}

/// `completed`, `failed (why)`; why may have several lines.
fn read_status<'a>(
    migration: &mut Map<String, Value>,
    said: &str,
    lines: &mut impl Iterator<Item = &'a str>,
) {
    let Some((status, why)) = said.split_once(" (") else {
        migration.insert("status".into(), said.into());
        return;
    };
    let mut why = why.to_owned();
    while !why.ends_with(')') {
        let Some(line) = lines.next() else { break };
        why = format!("{why}\n{line}");
    }
    migration.insert("status".into(), status.into());
    migration.insert("error-desc".into(), why.strip_suffix(')').unwrap_or(&why).into());
}

/// `440 ms`, or `total=440, setup=1`.
fn read_figures(migration: &mut Map<String, Value>, label: &str, said: &str) -> Result<(), String> {
    let mut rows = UP_TO_10_0.iter().chain(SINCE_10_1).filter(|row| row.0 == label).peekable();
    if rows.peek().is_none() {
        return Ok(());
    }
    let figures: Vec<(&str, &str)> =
        said.split(", ").map(|figure| figure.split_once('=').unwrap_or(("", figure))).collect();
    for (_, key, path) in rows {
        let Some((_, text)) = figures.iter().find(|figure| figure.0 == *key) else { continue };
        let figure = figure(text).ok_or_else(|| unreadable(QUESTION, &format!("{label}: {said}")))?;
        insert(migration, path, figure);
    }
    Ok(())
}

fn insert(object: &mut Map<String, Value>, path: &[&str], figure: Number) {
    match path {
        [name] => drop(object.insert((*name).into(), figure.into())),
        [name, rest @ ..] => {
            if let Some(inner) = object.entry(*name).or_insert_with(|| json!({})).as_object_mut() {
                insert(inner, rest, figure);
            }
        }
        [] => {}
    }
}

/// A number with QEMU's unit, in QMP's unit: bytes, ms, µs, megabits per second, or none.
fn figure(text: &str) -> Option<Number> {
    let (number, unit) = text.split_once(' ').unwrap_or((text, ""));
    let shift = match unit {
        "" | "B" | "bytes" | "ms" | "us" | "pages" | "times" | "mbps" => 0,
        "kbytes" | "KiB" => 10,
        "MiB" => 20,
        "GiB" => 30,
        "TiB" => 40,
        "PiB" => 50,
        "EiB" => 60,
        _ => return None,
    };
    if let Ok(whole) = number.parse::<u64>() {
        return whole.checked_mul(1 << shift).map(Number::from);
    }
    let number = number.parse::<f64>().ok().filter(|number| number.is_finite())?;
    if shift == 0 {
        return Number::from_f64(number);
    }
    // A size is whole. Three digits of a binary unit are not.
    format!("{:.0}", number * 2f64.powi(shift)).parse::<u64>().ok().map(Number::from)
}

/// `tcp:127.0.0.1:4444`, `unix:/run/q.sock`.
fn socket_address(line: &str) -> Value {
    let text = line.trim();
    match text.split_once(':') {
        Some(("unix", path)) => json!({ "type": "unix", "path": path }),
        Some(("fd", name)) => json!({ "type": "fd", "str": name }),
        Some((kind @ ("tcp" | "vsock"), rest)) => {
            let (host, port) = rest.rsplit_once(':').unwrap_or((rest, ""));
            let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
            match kind {
                "tcp" => json!({ "type": "inet", "host": host, "port": port }),
                _ => json!({ "type": "vsock", "cid": host, "port": port }),
            }
        }
        _ => json!({ "type": text }),
    }
}

#[cfg(test)]
mod tests;
