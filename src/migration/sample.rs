//! The figures of a migration at one moment, as `query-migrate` gives them.
//!
//! Pure. What QEMU does not say (yet, or over a human monitor) is none, never a guess.

use serde_json::Value;

/// What a source said of its migration at one moment.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Sample {
    /// When, in milliseconds since 1970.
    pub at: f64,
    /// `active`, `postcopy-active`, `completed`, …
    pub status: String,
    /// Bytes of the guest's RAM.
    pub total: Option<u64>,
    /// Bytes of RAM that are still to be sent.
    pub remaining: Option<u64>,
    /// Bytes that were sent so far, as they were on the wire.
    pub transferred: Option<u64>,
    /// What is sent, in bytes per second; QEMU's figure, of the last 100 ms or so.
    pub rate: Option<f64>,
    /// What the guest writes, in bytes per second; QEMU's figure, of the last pass.
    pub dirty_rate: Option<f64>,
    /// How often it has looked for what the guest has written.
    pub passes: Option<u64>,
    /// Pages that the guest had to wait for, in a postcopy.
    pub postcopy_requests: Option<u64>,
    /// How much of its time the guest is kept from running, in percent.
    pub throttle: Option<u64>,
    /// How long the guest stood still, in milliseconds: QEMU's figure, at the end.
    pub downtime_ms: Option<f64>,
    /// From QEMU's start of it to its end, in milliseconds: QEMU's figure.
    pub total_ms: Option<f64>,
}

impl Sample {
    /// Read a reply of `query-migrate`.
    #[must_use]
    pub fn read(reply: &Value, at: f64) -> Self {
        let ram = &reply["ram"];
        let rate = |value: Option<f64>| value.filter(|rate| rate.is_finite() && *rate > 0.0);
        let page = ram["page-size"].as_f64().unwrap_or(4096.0);
        Self {
            at,
            status: reply["status"].as_str().unwrap_or("none").to_owned(),
            total: ram["total"].as_u64(),
            remaining: ram["remaining"].as_u64(),
            transferred: ram["transferred"].as_u64(),
            rate: rate(ram["mbps"].as_f64().map(|megabits| megabits * 1e6 / 8.0)),
            dirty_rate: rate(ram["dirty-pages-rate"].as_f64().map(|pages| pages * page)),
            passes: ram["dirty-sync-count"].as_u64().filter(|passes| *passes > 0),
            postcopy_requests: ram["postcopy-requests"].as_u64(),
            throttle: reply["cpu-throttle-percentage"].as_u64().filter(|throttle| *throttle > 0),
            downtime_ms: reply["downtime"].as_f64(),
            total_ms: reply["total-time"].as_f64(),
        }
    }

    /// Whether nothing comes after it.
    #[must_use]
    pub fn is_over(&self) -> bool {
        is_over(&self.status)
    }

    /// How long it will take, if nothing changes, in seconds. A guest that writes faster than is sent is never done.
    #[must_use]
    pub fn seconds_left(&self) -> Option<f64> {
        let against = if self.status.starts_with("postcopy") { 0.0 } else { self.dirty_rate.unwrap_or(0.0) };
        let gain = self.rate? - against;
        #[allow(clippy::cast_precision_loss)] // no memory has 2^53 bytes
        (gain > 0.0).then_some(self.remaining? as f64 / gain)
    }
}

/// Whether a migration with this status has come to its end.
#[must_use]
pub fn is_over(status: &str) -> bool {
    ["completed", "failed", "cancelled", "none"].contains(&status)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_reply_is_read() {
        let reply = json!({
            "status": "active", "total-time": 63, "cpu-throttle-percentage": 20,
            "ram": { "total": 1000, "remaining": 800, "transferred": 200, "mbps": 0.008, "page-size": 4096,
                "dirty-pages-rate": 0, "dirty-sync-count": 2, "postcopy-requests": 0 },
        });
        let sample = Sample::read(&reply, 5.0);
        assert_eq!((sample.at, sample.status.as_str(), sample.total), (5.0, "active", Some(1000)));
        assert_eq!((sample.rate, sample.dirty_rate, sample.throttle), (Some(1000.0), None, Some(20)));
        assert_eq!((sample.passes, sample.postcopy_requests), (Some(2), Some(0)));
        assert_eq!(sample.seconds_left(), Some(0.8));
        assert!(!sample.is_over());
    }

    #[test]
    fn what_is_not_said_is_not_known() {
        let sample = Sample::read(&json!({}), 0.0);
        assert_eq!(sample, Sample { status: "none".into(), ..Sample::default() });
        assert_eq!(sample.seconds_left(), None);
    }

    #[test]
    fn a_guest_that_writes_faster_than_is_sent_is_never_done() {
        let sample = Sample {
            status: "active".into(),
            remaining: Some(100),
            rate: Some(10.0),
            dirty_rate: Some(20.0),
            ..Sample::default()
        };
        assert_eq!(sample.seconds_left(), None);
        assert_eq!(Sample { status: "postcopy-active".into(), ..sample }.seconds_left(), Some(10.0));
    }
}
