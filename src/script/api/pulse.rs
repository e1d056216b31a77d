//! The heartbeat of a guest, watched on its console.

use std::time::{Duration, SystemTime};

use rhai::Array;
use rhai::plugin::*;

use crate::error::{Error, Result};
use crate::onlooker::Told;
use crate::script::gate::Effect;
use crate::script::session::{ScriptResult, Session};
use crate::vm::{Line, Pulse, Vm};

#[export_module]
pub mod api {
    /// Watch for the beats of one guest on the consoles of these QEMUs, from now on: each time that `text` comes is a
    /// beat. What a migration does to the guest, as the guest sees it, is the longest gap. The path of a file in place of a
    /// QEMU stands for a serial or virtio-serial line that QEMU writes there (`-serial file:PATH`, `-chardev file,…`).
    ///
    /// ```rhai
    /// let vm = launch(#{ guest: "heartbeat" });
    /// let pulse = pulse([vm], "beat ");
    /// for beat in 0..3 { vm.wait_for_output("beat "); }
    /// assert(pulse.beats > 0, "it lives");
    /// ```
    #[rhai_fn(return_raw)]
    pub fn pulse(ctx: NativeCallContext, lines: Array, text: &str) -> ScriptResult<Pulse> {
        let session = Session::of(&ctx);
        let lines = super::lines(lines)?;
        let titles: Vec<String> = lines.iter().map(super::title).collect();
        session.perform(Effect::Read { path: titles.join(", ") }, async { Pulse::of(&lines, text) })
    }

    /// How many beats were felt so far.
    ///
    /// ```rhai
    /// let vm = launch(#{ args: "-S" });
    /// assert_eq(pulse([vm], "beat ").beats, 0);
    /// ```
    #[rhai_fn(get = "beats", pure)]
    pub fn beats(pulse: &mut Pulse) -> i64 {
        i64::try_from(pulse.felt().beats).unwrap_or(i64::MAX)
    }

    /// The longest time between two beats so far in milliseconds, that since the last one included; exact to about one.
    /// `()` before the second beat.
    ///
    /// ```rhai
    /// let vm = launch(#{ guest: "heartbeat" });
    /// let pulse = pulse([vm], "beat ");
    /// while pulse.beats < 2 { vm.wait_for_output("beat "); }
    /// assert(pulse.longest_ms > 0.0, "there are ten milliseconds between two");
    /// ```
    #[rhai_fn(get = "longest_ms", pure)]
    pub fn longest_ms(ctx: NativeCallContext, pulse: &mut Pulse) -> Dynamic {
        let felt = pulse.felt();
        if let Some(since) = felt.since {
            Session::of(&ctx).tell(&Told::Gap(SystemTime::now() - since.elapsed(), felt.longest));
        }
        if felt.beats < 2 { Dynamic::UNIT } else { milliseconds(felt.longest).into() }
    }
}

/// Without digits that nobody has measured.
fn milliseconds(gap: Duration) -> f64 {
    (gap.as_secs_f64() * 1e4).round() / 10.0
}

fn lines(lines: Array) -> Result<Vec<Line>> {
    let line = |line: Dynamic| {
        let kind = line.type_name();
        match line.clone().try_cast::<Vm>() {
            Some(vm) => Ok(Line::Console(vm)),
            None => line.into_string().map(|path| Line::File(path.into())).map_err(|_| Error::Argument {
                function: "pulse".to_owned(),
                cause: format!("what is watched is a list of `Vm` and of files, not of `{kind}`"),
                hint: "such as `pulse([source, target], \"beat \")`".to_owned(),
            }),
        }
    };
    lines.into_iter().map(line).collect()
}

fn title(line: &Line) -> String {
    match line {
        Line::Console(vm) => format!("the console of `{}`", vm.name()),
        Line::File(path) => path.display().to_string(),
    }
}
