//! Durations and sizes: `500.ms`, `30.s`, `512.MiB`.

use std::time::Duration;

use rhai::plugin::*;

use crate::error::Error;
use crate::script::session::ScriptResult;
use crate::units::Seconds;

#[export_module]
pub mod api {
    /// Milliseconds.
    ///
    /// ```rhai
    /// assert_eq(1500.ms, 1.s + 500.ms);
    /// ```
    #[rhai_fn(get = "ms", return_raw, pure)]
    pub fn ms(number: &mut i64) -> ScriptResult<Duration> {
        super::milliseconds(*number, 1)
    }

    /// Seconds.
    ///
    /// ```rhai
    /// assert_eq(60.s, 1.min);
    /// ```
    #[rhai_fn(get = "s", return_raw, pure)]
    pub fn s(number: &mut i64) -> ScriptResult<Duration> {
        super::milliseconds(*number, 1_000)
    }

    /// Minutes.
    ///
    /// ```rhai
    /// assert_eq(2.min.s, 120.0);
    /// ```
    #[rhai_fn(get = "min", return_raw, pure)]
    pub fn min(number: &mut i64) -> ScriptResult<Duration> {
        super::milliseconds(*number, 60_000)
    }

    /// Milliseconds, not a whole number of them.
    #[rhai_fn(get = "ms", return_raw, pure)]
    pub fn ms_float(number: &mut f64) -> ScriptResult<Duration> {
        super::seconds(*number / 1e3)
    }

    /// Seconds, not a whole number of them.
    #[rhai_fn(get = "s", return_raw, pure)]
    pub fn s_float(number: &mut f64) -> ScriptResult<Duration> {
        super::seconds(*number)
    }

    /// Minutes, not a whole number of them.
    #[rhai_fn(get = "min", return_raw, pure)]
    pub fn min_float(number: &mut f64) -> ScriptResult<Duration> {
        super::seconds(*number * 60.0)
    }

    /// Kibibytes, as a number of bytes.
    ///
    /// ```rhai
    /// assert_eq(4.KiB, 4096);
    /// ```
    #[rhai_fn(get = "KiB", return_raw, pure)]
    pub fn kib(number: &mut i64) -> ScriptResult<i64> {
        super::bytes(*number, 10)
    }

    /// Mebibytes, as a number of bytes.
    ///
    /// ```rhai
    /// assert_eq(1.MiB, 1024.KiB);
    /// ```
    #[rhai_fn(get = "MiB", return_raw, pure)]
    pub fn mib(number: &mut i64) -> ScriptResult<i64> {
        super::bytes(*number, 20)
    }

    /// Gibibytes, as a number of bytes.
    ///
    /// ```rhai
    /// assert_eq(4.GiB, 4096.MiB);
    /// ```
    #[rhai_fn(get = "GiB", return_raw, pure)]
    pub fn gib(number: &mut i64) -> ScriptResult<i64> {
        super::bytes(*number, 30)
    }

    /// A duration in milliseconds, as a floating-point number.
    #[rhai_fn(get = "ms", pure)]
    pub fn duration_ms(duration: &mut Duration) -> f64 {
        duration.as_secs_f64() * 1e3
    }

    /// A duration in seconds, as a floating-point number.
    #[rhai_fn(get = "s", pure)]
    pub fn duration_s(duration: &mut Duration) -> f64 {
        duration.as_secs_f64()
    }

    /// The sum of two durations.
    #[rhai_fn(name = "+")]
    pub fn add(a: Duration, b: Duration) -> Duration {
        a.saturating_add(b)
    }

    /// How much longer `a` is than `b`; zero if it is not longer.
    #[rhai_fn(name = "-")]
    pub fn subtract(a: Duration, b: Duration) -> Duration {
        a.saturating_sub(b)
    }

    /// So many times a duration.
    #[rhai_fn(name = "*", return_raw)]
    pub fn multiply(duration: Duration, times: i64) -> ScriptResult<Duration> {
        let times = u32::try_from(times).ok();
        Ok(times.and_then(|times| duration.checked_mul(times)).ok_or_else(super::impossible)?)
    }

    /// Whether two durations are the same.
    #[rhai_fn(name = "==")]
    pub fn equal(a: Duration, b: Duration) -> bool {
        a == b
    }

    /// Whether two durations differ.
    #[rhai_fn(name = "!=")]
    pub fn unequal(a: Duration, b: Duration) -> bool {
        a != b
    }

    /// Whether `a` is shorter.
    #[rhai_fn(name = "<")]
    pub fn less(a: Duration, b: Duration) -> bool {
        a < b
    }

    /// Whether `a` is not longer.
    #[rhai_fn(name = "<=")]
    pub fn at_most(a: Duration, b: Duration) -> bool {
        a <= b
    }

    /// Whether `a` is longer.
    #[rhai_fn(name = ">")]
    pub fn greater(a: Duration, b: Duration) -> bool {
        a > b
    }

    /// Whether `a` is not shorter.
    #[rhai_fn(name = ">=")]
    pub fn at_least(a: Duration, b: Duration) -> bool {
        a >= b
    }

    /// A duration for people: `40 ms`, `1.5 s`.
    #[rhai_fn(name = "to_string", name = "to_debug", pure)]
    pub fn to_string(duration: &mut Duration) -> String {
        Seconds(*duration).to_string()
    }
}

fn milliseconds(number: i64, each: u64) -> ScriptResult<Duration> {
    let total = u64::try_from(number).ok().and_then(|number| number.checked_mul(each));
    Ok(total.map(Duration::from_millis).ok_or_else(impossible)?)
}

fn seconds(number: f64) -> ScriptResult<Duration> {
    Ok(Duration::try_from_secs_f64(number).map_err(|_| impossible())?)
}

fn impossible() -> Error {
    Error::Argument {
        function: "duration".to_owned(),
        cause: "this is no possible duration".to_owned(),
        hint: "a duration is not negative, and ends within the life of the universe".to_owned(),
    }
}

fn bytes(number: i64, shift: u32) -> ScriptResult<i64> {
    Ok(number.checked_mul(1 << shift).ok_or_else(|| Error::Argument {
        function: "size".to_owned(),
        cause: format!("`{number}` of them are more bytes than a number can count"),
        hint: String::new(),
    })?)
}
