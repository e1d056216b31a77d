//! A migration that goes on, as a line of a terminal. Pure.

use super::figures::{bytes, counted, time};
use crate::migration::sample::Sample;

/// The line; `last` are figures of a while ago, for the rate while QEMU gives none.
#[must_use]
pub fn line(vm: &str, sample: &Sample, last: Option<&Sample>) -> String {
    let mut words = vec![format!("{vm}: {}", sample.status)];
    if let (Some(remaining), Some(total)) = (sample.remaining, sample.total) {
        words.push(format!("{} of {} left", counted(remaining), counted(total)));
    }
    if let Some(rate) = sample.rate.or_else(|| measured(sample, last?)) {
        words.push(format!("{}/s", bytes(rate)));
    }
    if let Some(rate) = sample.dirty_rate {
        words.push(format!("dirty {}/s", bytes(rate)));
    }
    if let Some(passes) = sample.passes {
        words.push(format!("pass {passes}"));
    }
    if let Some(seconds) = sample.seconds_left() {
        words.push(format!("{} to go", time(seconds * 1e3)));
    }
    if let Some(throttle) = sample.throttle {
        words.push(format!("throttle {throttle} %"));
    }
    if let Some(requests) = sample.postcopy_requests.filter(|requests| *requests > 0) {
        words.push(format!("{requests} postcopy requests"));
    }
    words.join(", ")
}

#[allow(clippy::cast_precision_loss)] // no memory has 2^53 bytes
fn measured(sample: &Sample, last: &Sample) -> Option<f64> {
    let sent = sample.transferred?.checked_sub(last.transferred?)?;
    (sample.at > last.at && sent > 0).then(|| sent as f64 / (sample.at - last.at) * 1e3)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_says_what_is_known() {
        let bare = Sample { status: "setup".into(), ..Sample::default() };
        assert_eq!(line("db1", &bare, None), "db1: setup");
        let whole = Sample {
            at: 1000.0,
            status: "active".into(),
            total: Some(512 << 20),
            remaining: Some(300 << 20),
            transferred: Some(212 << 20),
            rate: Some(f64::from(60 << 20)),
            dirty_rate: Some(f64::from(10 << 20)),
            passes: Some(2),
            postcopy_requests: Some(17),
            throttle: Some(20),
            ..Sample::default()
        };
        assert_eq!(
            line("db1", &whole, None),
            "db1: active, 300 MiB of 512 MiB left, 60 MiB/s, dirty 10 MiB/s, pass 2, 6 s to go, throttle 20 %, 17 postcopy requests"
        );
    }

    #[test]
    fn a_rate_that_qemu_does_not_give_is_measured() {
        let sample = |at, transferred| Sample {
            at,
            status: "active".into(),
            transferred: Some(transferred),
            ..Sample::default()
        };
        let (before, after) = (sample(0.0, 0), sample(500.0, 1 << 20));
        assert_eq!(line("a", &after, Some(&before)), "a: active, 2 MiB/s");
        assert_eq!(line("a", &before, Some(&after)), "a: active");
    }
}
