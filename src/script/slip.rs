//! A command that QEMU does not know, held against those that it does.

use std::future::Future;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::timeout;

use super::nearest::did_you_mean;
use crate::error::{Error, Result};
use crate::qemu::offer::Offer;
use crate::vm::Vm;

/// How long QEMU may take to tell its commands; without them the error is as good as it was.
const PATIENCE: Duration = Duration::from_secs(2);

/// Wait for a reply. If QEMU does not know the command, the error says which one may have been meant.
pub async fn explained<T>(vm: &Vm, reply: impl Future<Output = Result<T>>) -> Result<T> {
    let mut error = match reply.await {
        Ok(reply) => return Ok(reply),
        Err(error) => error,
    };
    match &mut error {
        Error::Qmp { command, class, hint, .. } if class == "CommandNotFound" => {
            *hint = did_you_mean(command, commands(vm).await.iter().map(String::as_str));
        }
        Error::Hmp { line, description, hint, .. } if description.starts_with("unknown command") => {
            let words: Vec<&str> = line.split_whitespace().take(2).collect();
            let (before, slip) = match words[..] {
                ["info", slip] => ("info ", slip),
                [slip, ..] => ("", slip),
                [] => return Err(error),
            };
            let near = did_you_mean(slip, lines(vm, before).await.iter().map(String::as_str));
            *hint = near.replacen('`', &format!("`{before}"), 1);
        }
        _ => {}
    }
    Err(error)
}

async fn commands(vm: &Vm) -> Vec<String> {
    let reply = timeout(PATIENCE, vm.qmp("query-commands", json!({}))).await;
    let reply = reply.ok().and_then(Result::ok).unwrap_or_default();
    let names = reply.as_array().into_iter().flatten().filter_map(|it| it["name"].as_str());
    names.map(str::to_owned).collect()
}

/// The lines that begin so.
async fn lines(vm: &Vm, before: &str) -> Vec<String> {
    let printed = timeout(PATIENCE, vm.hmp(&format!("help {before}"))).await;
    let printed = printed.ok().and_then(Result::ok).unwrap_or_default();
    let (help, info) = if before.is_empty() { (&*printed, "") } else { ("", &*printed) };
    let words: Vec<&str> = before.split_whitespace().collect();
    Offer::new(&Value::Null, help, info, "", "").next_words(&words)
}
