//! The least that a careful migration can be: the same commands as qhop's `migrate`, from a client that knows
//! beforehand what will happen.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::Result;
use crate::monitor::Monitor;

/// How long it took.
pub struct Times {
    /// From the first command to the proof at both ends.
    pub total: Duration,
    /// From the source's STOP to the target's RESUME, by QEMU's clock, in milliseconds.
    pub blackout_ms: f64,
}

/// Move the guest of `source` into `target`, which was started with `-incoming defer`.
pub fn migrate(source: &mut Monitor, target: &mut Monitor, mode: &str, uri: &str) -> Result<Times> {
    let start = Instant::now();
    let capabilities: Vec<Value> = ["events", "return-path"]
        .into_iter()
        .chain(match mode {
            "postcopy" => Some("postcopy-ram"),
            "shared" => Some("x-ignore-shared"),
            _ => None,
        })
        .map(|capability| json!({ "capability": capability, "state": true }))
        .collect();
    for vm in [&mut *source, &mut *target] {
        vm.execute("migrate-set-capabilities", json!({ "capabilities": capabilities }))?;
        vm.execute("migrate-set-parameters", json!({ "max-bandwidth": 1_u64 << 40 }))?;
    }
    target.execute("migrate-incoming", json!({ "uri": uri }))?;
    source.execute("migrate", json!({ "uri": uri }))?;
    if mode == "postcopy" {
        source.event(migration("active"))?;
        source.execute("migrate-start-postcopy", json!({}))?;
    }
    let stop = source.event(named("STOP"))?;
    source.event(migration("completed"))?;
    let resume = target.event(named("RESUME"))?;
    // A source that says `completed` takes another moment to settle.
    while status(source)? != "postmigrate" {}
    if status(target)? != "running" {
        return Err("the guest does not run on the target".into());
    }
    Ok(Times { total: start.elapsed(), blackout_ms: milliseconds(&resume) - milliseconds(&stop) })
}

fn status(vm: &mut Monitor) -> Result<Value> {
    Ok(vm.execute("query-status", json!({}))?["status"].take())
}

fn named(name: &str) -> impl Fn(&Value) -> bool {
    move |event| event["event"] == name
}

fn migration(status: &str) -> impl Fn(&Value) -> bool {
    move |event| event["event"] == "MIGRATION" && event["data"]["status"] == status
}

fn milliseconds(event: &Value) -> f64 {
    let part = |name: &str| event["timestamp"][name].as_f64().unwrap_or(f64::NAN);
    part("seconds") * 1e3 + part("microseconds") / 1e3
}
