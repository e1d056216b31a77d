//! What there is for the arguments of a call: what the QEMU offers that it is about, and what the script API says of
//! its options.
//!
//! Pure.

use super::{Knowledge, shape};
use crate::migration::state::{MigrationStatus, RunStatus};
use crate::monitor::translation::COMMANDS;
use crate::qemu::offer::{Offer, Step};
use crate::repl::context::{Call, Part};
use crate::repl::options;
use crate::script::shape::Shape;

/// What the QEMU offers that a call is about; where it is not known which that is, what any offers.
pub fn offered(of: &[Part], known: &Knowledge, what: impl Fn(&Offer) -> Vec<String>) -> Vec<String> {
    match shape(of, known) {
        Some(Shape::Vm(qemu)) if !qemu.is_empty() => {
            known.offers.get(&qemu).map(|it| what(it)).unwrap_or_default()
        }
        _ => known.offers.values().flat_map(|it| what(it)).collect(),
    }
}

/// The keys that a map in the arguments of a call can have.
pub fn keys(call: &Call, known: &Knowledge) -> Vec<String> {
    let members = |of: &[Part], command: &str, path: &[Step]| {
        offered(of, known, |offer| offer.members(command, path).into_iter().map(|it| it.name).collect())
    };
    match (call.function.as_str(), call.argument, &call.first, &call.path[..]) {
        ("qmp", 1, Some(command), path) => members(&call.of, command, path),
        (function, _, _, []) => options::names(function, &known.api),
        (_, _, _, [Step::Key(key)]) if key == "parameters" => members(&[], "migrate-set-parameters", &[]),
        (_, _, _, [Step::Key(key)]) if key == "capabilities" => {
            offered(&[], known, |offer| offer.next_words(&["migrate_set_capability"]))
        }
        _ => Vec::new(),
    }
}

/// The values that there are for the argument or the member that the cursor is at.
pub fn values(call: &Call, known: &Knowledge) -> Vec<String> {
    let offered = |what: &dyn Fn(&Offer) -> Vec<String>| offered(&call.of, known, what);
    // A human monitor does not tell its words; these are those that are known of all QEMUs.
    let or = |told: Vec<String>, known: &[&str]| {
        if told.is_empty() { known.iter().map(|it| (*it).to_owned()).collect() } else { told }
    };
    match (call.function.as_str(), call.argument, &call.first, &call.path[..]) {
        ("qmp", 1, Some(command), path) => offered(&|offer| offer.values(command, path)),
        // Not before the QEMU has told what it offers: the few would be taken for all.
        ("qmp", 0, ..) => offered(&|offer| or(offer.commands().to_vec(), &COMMANDS)),
        ("wait_for_status", 0, ..) => {
            or(offered(&|offer| offer.reply_values("query-status", "status")), RunStatus::WORDS)
        }
        ("wait_for_migration", 0, ..) => {
            or(offered(&|offer| offer.reply_values("query-migrate", "status")), MigrationStatus::WORDS)
        }
        ("wait_for_event" | "last_event", 0, ..) => offered(&|offer| offer.events().to_vec()),
        ("launch", 0, _, [Step::Key(key)]) if key == "guest" => vec!["heartbeat".to_owned()],
        (_, _, _, [Step::Key(key)]) if key == "mode" => options::values(&call.function, "mode", &known.api),
        _ => Vec::new(),
    }
}
