//! What the migration verbs of the standard library need to judge: QEMU's messages, and who has the guest.

use rhai::Map;
use rhai::plugin::*;

use crate::error::{Error, Result};
use crate::migration::explain;
use crate::migration::state::{Holder, Migration, MigrationStatus, Mode, RunStatus, Seen, named};
use crate::script::options::Options;
use crate::script::session::{ScriptResult, Session};
use crate::vm::Vm;

#[export_module]
pub mod api {

    /// What QEMU's words mean: `message` (the line that says most), `cause` and `remedy`; all empty if
    /// nothing in the text is known.
    ///
    /// ```rhai
    /// let reason = explain("Machine type received is 'pc-q35-7.2' and local is 'pc-q35-10.0'");
    /// assert(reason.remedy.contains("pc-q35-7.2"), reason.remedy);
    /// ```
    #[rhai_fn(name = "explain")]
    pub fn explain_text(text: &str) -> Map {
        let known = explain::explain(text);
        let part = |of: fn(explain::Explanation) -> String| known.clone().map(of).unwrap_or_default().into();
        Map::from([
            ("message".into(), part(|known| known.message)),
            ("cause".into(), part(|known| known.cause)),
            ("remedy".into(), part(|known| known.remedy)),
        ])
    }

    /// The last lines of QEMU's standard error that say something: without its name in front, and
    /// without what it always prints.
    ///
    /// ```rhai
    /// assert_eq(tail("qemu-system-x86_64: Not a migration stream\n"), "Not a migration stream");
    /// ```
    pub fn tail(text: &str) -> String {
        explain::tail(text, 5)
    }

    /// Who has the guest in a migration, by what both ends answer within 2 s: `holder` (`"source"`, `"target"`,
    /// `"in transit"`, `"nobody"`, `"both"`), a `sentence` for people, a `remedy`, empty where there is nothing
    /// to be done, whether `migrate_cancel` (`may_cancel`) and `cont` (`may_cont`) on the source are safe, and whether
    /// the migration has `succeeded`, by what both ends say, and whether the target still waits for the guest (`target_waits`). `mode` is that of `migrate`; `was` is the guest's run state before; `switched` says whether
    /// `migrate-start-postcopy` was sent, `ran` whether the target may have run the guest before anybody looked, `waited` whether it was seen to wait
    /// for the guest until it was ended. A human monitor tells of no events: a target of which it is not known whether it began is then
    /// taken to have begun once the source is `completed`.
    ///
    /// ```rhai
    /// let source = launch(#{ name: "source", guest: "heartbeat" });
    /// let target = launch(#{ name: "target", guest: "heartbeat", args: "-incoming defer" });
    /// let verdict = verdict(source, target, #{ mode: "precopy", was: "running", switched: false });
    /// assert_eq(verdict.holder, "source");
    /// assert_eq(verdict.sentence, "the guest is safe: `source` is running");
    /// ```
    #[rhai_fn(return_raw)]
    pub fn verdict(ctx: NativeCallContext, source: Vm, target: Vm, course: Map) -> ScriptResult<Map> {
        let (mode, before, ran, waited) = super::course(course)?;
        let migration = Session::of(&ctx).block_on(async {
            let (seen_source, seen_target) = tokio::join!(source.seen(), target.seen());
            let completed = matches!(seen_source, Seen::Alive(_, MigrationStatus::Completed));
            let waits = waited || matches!(seen_target, Seen::Alive(RunStatus::Inmigrate, _));
            let untold = !target.tells_events() && completed && !waits;
            Ok(Migration {
                source: seen_source,
                target: seen_target,
                mode,
                before: before.as_str().into(),
                target_ran: ran || untold || target.last_event("RESUME").is_some(),
            })
        })?;
        let verdict = migration.verdict();
        let named = |text: &str| Dynamic::from(named(text, source.name(), target.name()));
        Ok(Map::from([
            ("holder".into(), super::holder(verdict.holder).into()),
            ("sentence".into(), named(verdict.sentence)),
            ("remedy".into(), named(verdict.remedy)),
            ("may_cancel".into(), migration.may_cancel().is_ok().into()),
            ("succeeded".into(), migration.succeeded().into()),
            ("target_waits".into(), matches!(migration.target, Seen::Alive(RunStatus::Inmigrate, _)).into()),
            ("may_cont".into(), migration.source_may_cont().is_ok().into()),
        ]))
    }
}

/// The options of `verdict`.
pub const COURSE: &[&str] = &["mode", "was", "switched", "ran", "waited"];

fn course(course: Map) -> Result<(Mode, String, bool, bool)> {
    let mut course = Options::new("verdict", course, COURSE)?;
    let (ran, waited) = (course.flag("ran")?, course.flag("waited")?);
    let switched = course.flag("switched")?;
    let before = course.string("was")?.unwrap_or_else(|| "running".to_owned());
    let mode = match course.string("mode")?.as_deref() {
        Some("precopy") => Mode::Precopy,
        Some("postcopy") => Mode::Postcopy { switched },
        Some("shared" | "cpr-transfer") => Mode::Shared,
        other => {
            return Err(Error::Argument {
                function: "verdict".to_owned(),
                cause: format!("there is no mode `{}`", other.unwrap_or_default()),
                hint: "the modes are `precopy`, `postcopy`, `shared` and `cpr-transfer`".to_owned(),
            });
        }
    };
    Ok((mode, before, ran, waited))
}

fn holder(holder: Holder) -> &'static str {
    match holder {
        Holder::Source => "source",
        Holder::Target => "target",
        Holder::InTransit => "in transit",
        Holder::Nobody => "nobody",
        Holder::Both => "both",
    }
}
