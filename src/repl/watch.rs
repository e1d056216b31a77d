//! What is done for each guest in the background: its events are told, and once its QEMU is asked what it offers.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};
use tokio::runtime::Handle;
use tokio::sync::broadcast::error::RecvError;
use tokio::time::timeout;

use super::notices::Notices;
use crate::qemu::offer::Offer;
use crate::script::gate::Effect;
use crate::script::session::Session;
use crate::script::shape::qemu_of;
use crate::vm::Vm;

/// A QEMU that does not answer in this time offers nothing.
const PATIENCE: Duration = Duration::from_secs(5);

/// What each QEMU program offers; none while it is being asked.
pub type Offers = Arc<Mutex<HashMap<String, Option<Arc<Offer>>>>>;

/// Tell the events of a guest until it ends, and then how.
pub async fn follow(vm: Vm, notices: Notices, start: SystemTime) {
    let (past, mut feed) = vm.follow_events();
    for event in past {
        notices.tell(&line(&vm, &event, start));
    }
    let mut ended = std::pin::pin!(vm.end());
    let mut open = true;
    let how = loop {
        tokio::select! {
            biased;
            event = feed.recv(), if open => match event {
                Ok(event) => notices.tell(&line(&vm, &event, start)),
                Err(RecvError::Lagged(missed)) => notices.tell(&format!("{missed} events of `{}` are not shown", vm.name())),
                Err(RecvError::Closed) => open = false,
            },
            how = &mut ended => break how,
        }
    };
    notices.tell(&format!("{} {} {how}", stamp(SystemTime::now(), start), vm.name()));
}

/// `[  12.345] source STOP`, with the data of the event where it has any.
fn line(vm: &Vm, event: &Value, start: SystemTime) -> String {
    let (seconds, micros) = (&event["timestamp"]["seconds"], &event["timestamp"]["microseconds"]);
    let at = seconds.as_u64().zip(micros.as_u64());
    let at = at.map_or_else(SystemTime::now, |(seconds, micros)| {
        UNIX_EPOCH + Duration::from_secs(seconds) + Duration::from_micros(micros)
    });
    let data = event["data"].as_object().into_iter().flatten();
    let data: Vec<String> = data.map(|(key, value)| format!(" {key}={}", plain(value))).collect();
    format!(
        "{} {} {}{}",
        stamp(at, start),
        vm.name(),
        event["event"].as_str().unwrap_or_default(),
        data.concat()
    )
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn stamp(at: SystemTime, start: SystemTime) -> String {
    format!("[{:8.3}]", at.duration_since(start).unwrap_or_default().as_secs_f64())
}

/// Ask each QEMU that nobody has asked yet what it offers, in the background.
pub fn inquire(session: &Session, runtime: &Handle, offers: &Offers) {
    for vm in session.vms().into_iter().filter(|vm| vm.ended().is_none()) {
        let qemu = qemu_of(&vm);
        let mut known = offers.lock().unwrap_or_else(PoisonError::into_inner);
        if known.contains_key(&qemu) {
            continue;
        }
        let command = "query-qmp-schema".to_owned();
        if session.pass(Effect::Command { vm: vm.name().to_owned(), command }).is_err() {
            continue;
        }
        known.insert(qemu.clone(), None);
        drop(known);
        let offers = offers.clone();
        runtime.spawn(async move {
            let offer = timeout(PATIENCE, ask(&vm)).await;
            let mut known = offers.lock().unwrap_or_else(PoisonError::into_inner);
            match offer {
                Ok(offer) => known.insert(qemu, Some(Arc::new(offer))),
                // Perhaps later.
                Err(_) => known.remove(&qemu),
            };
        });
    }
}

async fn ask(vm: &Vm) -> Offer {
    let schema =
        if vm.tells_events() { vm.qmp("query-qmp-schema", json!({})).await } else { Ok(Value::Null) };
    let mut printed = Vec::new();
    for line in ["help", "help info", "info migrate_capabilities", "info migrate_parameters"] {
        printed.push(vm.hmp(line).await.unwrap_or_default());
    }
    Offer::new(&schema.unwrap_or_default(), &printed[0], &printed[1], &printed[2], &printed[3])
}
