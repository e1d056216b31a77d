//! The QEMUs that qhop has started or moved and that live still, as found from outside: by records, and in `/proc`.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::Control;
use crate::monitor::Address;
use crate::qemu::attached::{Attached, Holder};
use crate::qemu::ours::ours;
use crate::record::run::Guest;

/// How long each may take to answer; all are asked at once.
const PATIENCE: Duration = Duration::from_millis(500);

/// One of them.
struct Found {
    guest: Guest,
    holder: Option<Holder>,
}

/// What can be said of each, by process id: `name`, `pid`, `version`, `machine`, `state`, `holder` (`qhop (pid 4711)`),
/// `monitor`. Null is what cannot be known, such as the state of one whose monitor somebody holds.
pub async fn survey(recorded: &[Guest]) -> Vec<Value> {
    let mut asked = JoinSet::new();
    for found in found(recorded) {
        asked.spawn(found.described());
    }
    let mut guests = asked.join_all().await;
    guests.sort_by_key(|guest| guest["pid"].as_u64());
    guests
}

fn found(recorded: &[Guest]) -> Vec<Found> {
    let mut all: Vec<Found> = Vec::new();
    for one in ours() {
        let pid = one.process.pid().as_raw_nonzero().get().unsigned_abs();
        let known = recorded.iter().find(|guest| guest.runs_as(pid, one.process.started));
        let own_name = one.process.args.get("name", "guest");
        let mut guest = known.cloned().unwrap_or_else(|| Guest {
            pid: Some(pid),
            started: Some(one.process.started),
            monitor: one.monitor().to_string(),
            ..Guest::default()
        });
        // A guest that was moved is known by the name that it has always had.
        guest.name = own_name.unwrap_or(guest.name);
        all.push(Found { guest, holder: one.process.holder(&one.monitor()) });
    }
    for guest in recorded {
        let Some(pid) = guest.pid.filter(|pid| all.iter().all(|it| it.guest.pid != Some(*pid))) else {
            continue;
        };
        // A process with this number may be a later one.
        if let Ok(process) = Attached::to(pid.into())
            && guest.runs_as(pid, process.started)
        {
            let address: Option<Address> = guest.monitor.parse().ok();
            let holder = address.and_then(|address| process.holder(&address));
            all.push(Found { guest: guest.clone(), holder });
        }
    }
    all
}

impl Found {
    async fn described(self) -> Value {
        let Self { guest, holder } = self;
        let control = match (&holder, guest.monitor.parse()) {
            (None, Ok(address)) => timeout(PATIENCE, Control::connect(&guest.name, &address)).await.ok(),
            _ => None,
        };
        let mut state = Value::Null;
        let (mut version, mut machine) = (guest.version, guest.machine);
        if let Some(Ok(control)) = control {
            let status = timeout(PATIENCE, control.execute(&guest.name, "query-status", json!({}))).await;
            state = status.ok().and_then(Result::ok).map_or(Value::Null, |reply| reply["status"].clone());
            control.version().clone_into(&mut version);
            if machine.is_empty()
                && let Ok(Ok(name)) =
                    timeout(PATIENCE, super::start::machine_type(&guest.name, &control)).await
            {
                machine = name;
            }
        }
        let known = |text: String| if text.is_empty() { Value::Null } else { text.into() };
        json!({
            "name": guest.name,
            "pid": guest.pid,
            "version": known(version),
            "machine": known(machine),
            "state": state,
            "holder": holder.map(|holder| holder.to_string()),
            "monitor": known(guest.monitor),
        })
    }
}
