//! How often a wait looks at what has no event: soon at first, and less often in the long run.
//!
//! Pure.

use std::time::Duration;

/// The first interval between two looks.
pub const FASTEST: Duration = Duration::from_millis(2);
/// The longest one while something is likely to happen soon: for `SOON`.
const SLOW: Duration = Duration::from_millis(10);
/// The longest one.
pub const SLOWEST: Duration = Duration::from_millis(100);
const SOON: Duration = Duration::from_secs(5);

/// The interval after one of `interval`, this long after the start.
#[must_use]
pub fn longer(interval: Duration, elapsed: Duration) -> Duration {
    (interval * 2).min(if elapsed < SOON { SLOW } else { SLOWEST })
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    /// The elapsed time and the interval of every look, in ms.
    fn looks(limit: Duration) -> Vec<(u128, u128)> {
        let (mut elapsed, mut interval) = (Duration::ZERO, FASTEST);
        let mut looks = Vec::new();
        while elapsed < limit {
            looks.push((elapsed.as_millis(), interval.as_millis()));
            elapsed += interval;
            interval = longer(interval, elapsed);
        }
        looks
    }

    #[test]
    fn a_wait_looks_every_10_ms_and_less_often_in_the_long_run() {
        let looks = looks(Duration::from_secs(60));
        assert_eq!(looks[..5], [(0, 2), (2, 4), (6, 8), (14, 10), (24, 10)]);
        assert!(looks.iter().filter(|(at, _)| *at < 5000).all(|(_, interval)| *interval <= 10));
        assert_eq!(looks.last().unwrap().1, 100);
        assert!(looks.len() < 1100, "{}", looks.len());
    }
}
