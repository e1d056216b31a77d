//! The events that QEMU sent, kept from the moment of connection.
//!
//! Filled by the connection, read by whoever waits. Never talks to QEMU.

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde_json::Value;
use tokio::sync::{broadcast, watch};

/// How many events are kept for somebody to consume. An event takes about 1 KiB.
pub const KEPT_EVENTS: usize = 8192;

/// How many event names are remembered for [`EventLog::last`]. QEMU 11 has about 70.
const KEPT_NAMES: usize = 512;

/// How far a follower may fall behind before it misses events.
const FOLLOWED: usize = 1024;

/// What QEMU reported by itself, in the order in which it did.
///
/// An event is the JSON object that QEMU sent: `event`, `data` (where there is
/// any) and `timestamp` (`seconds`, `microseconds`). It is consumed once, by
/// [`take`](Self::take) or [`drain`](Self::drain). The newest [`KEPT_EVENTS`]
/// that nobody consumed are kept; [`lost`](Self::lost) counts the others.
pub struct EventLog {
    kept: Mutex<Kept>,
    news: watch::Sender<()>,
    feed: broadcast::Sender<Value>,
}

/// Is told of every event as it comes.
pub type Listener = Box<dyn Fn(&Value) + Send + Sync>;

#[derive(Default)]
struct Kept {
    unconsumed: VecDeque<Value>,
    last: HashMap<String, Value>,
    lost: u64,
    listener: Option<Listener>,
}

/// A mark in an [`EventLog`]: tells whether anything came after it.
#[derive(Debug, Clone)]
pub struct News(watch::Receiver<()>);

impl Default for EventLog {
    fn default() -> Self {
        Self { kept: Mutex::default(), news: watch::Sender::new(()), feed: broadcast::Sender::new(FOLLOWED) }
    }
}

impl fmt::Debug for EventLog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("EventLog").field(&self.kept().unconsumed).finish()
    }
}

impl EventLog {
    /// Tell `listener` of the events that nobody consumed yet, and of all that come.
    pub fn report_to(&self, listener: Listener) {
        let mut kept = self.kept();
        kept.unconsumed.iter().for_each(&listener);
        kept.listener = Some(listener);
    }

    /// Consume the oldest event of this name that nobody consumed yet.
    #[must_use]
    pub fn take(&self, name: &str) -> Option<Value> {
        let mut kept = self.kept();
        let at = kept.unconsumed.iter().position(|event| name_of(event) == name)?;
        kept.unconsumed.remove(at)
    }

    /// Consume all events that nobody consumed yet, oldest first.
    #[must_use]
    pub fn drain(&self) -> Vec<Value> {
        std::mem::take(&mut self.kept().unconsumed).into()
    }

    /// The newest event of this name since the connection, consumed or not.
    #[must_use]
    pub fn last(&self, name: &str) -> Option<Value> {
        self.kept().last.get(name).cloned()
    }

    /// How many events were dropped before anybody consumed them.
    #[must_use]
    pub fn lost(&self) -> u64 {
        self.kept().lost
    }

    /// Mark this moment. Look only after taking the mark: what comes between
    /// the look and [`News::changed`] then ends that wait at once.
    #[must_use]
    pub fn news(&self) -> News {
        News(self.news.subscribe())
    }

    /// What nobody consumed yet, and every event from here on, for somebody who looks on and consumes nothing.
    #[must_use]
    pub fn follow(&self) -> (Vec<Value>, broadcast::Receiver<Value>) {
        let kept = self.kept();
        (kept.unconsumed.iter().cloned().collect(), self.feed.subscribe())
    }

    /// Every event from here on, for somebody who consumes nothing.
    #[must_use]
    pub fn feed(&self) -> broadcast::Receiver<Value> {
        self.feed.subscribe()
    }

    pub(super) fn push(&self, event: Value) {
        let mut kept = self.kept();
        if let Some(listener) = &kept.listener {
            listener(&event);
        }
        if self.feed.receiver_count() > 0 {
            let _ = self.feed.send(event.clone());
        }
        let name = name_of(&event);
        if kept.last.len() < KEPT_NAMES || kept.last.contains_key(name) {
            kept.last.insert(name.to_owned(), event.clone());
        }
        if kept.unconsumed.len() == KEPT_EVENTS {
            kept.unconsumed.pop_front();
            kept.lost += 1;
        }
        kept.unconsumed.push_back(event);
        drop(kept);
        self.wake();
    }

    /// End the waits for news, so that those who wait look around.
    pub(super) fn wake(&self) {
        self.news.send_replace(());
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl News {
    /// Wait until something came after the mark, and move the mark there.
    ///
    /// Comes back too when the connection ends; never comes back once the log
    /// itself is gone. Dropping the wait loses nothing.
    pub async fn changed(&mut self) {
        if self.0.changed().await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

fn name_of(event: &Value) -> &str {
    event.get("event").and_then(Value::as_str).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn event(name: &str, n: usize) -> Value {
        json!({ "event": name, "data": { "n": n } })
    }

    #[test]
    fn an_event_is_consumed_once() {
        let log = EventLog::default();
        for (n, name) in ["STOP", "RESUME", "STOP"].into_iter().enumerate() {
            log.push(event(name, n));
        }
        assert_eq!(log.take("RESUME"), Some(event("RESUME", 1)));
        assert_eq!(log.take("RESUME"), None);
        assert_eq!(log.last("RESUME"), Some(event("RESUME", 1)));
        assert_eq!(log.last("STOP"), Some(event("STOP", 2)));
        assert_eq!(log.take("STOP"), Some(event("STOP", 0)));
        log.push(event("STOP", 3));
        assert_eq!(log.drain(), [event("STOP", 2), event("STOP", 3)]);
        assert_eq!(log.take("STOP"), None);
        assert_eq!(log.lost(), 0);
    }

    #[test]
    fn a_follower_sees_every_event_and_consumes_none() {
        let log = EventLog::default();
        log.push(event("STOP", 0));
        let (past, mut feed) = log.follow();
        log.push(event("RESUME", 1));
        assert_eq!(log.take("RESUME"), Some(event("RESUME", 1)));
        assert_eq!((past, feed.try_recv().unwrap()), (vec![event("STOP", 0)], event("RESUME", 1)));
        assert_eq!(log.take("STOP"), Some(event("STOP", 0)));
    }

    #[test]
    fn the_log_is_bounded_and_says_what_it_lost() {
        let log = EventLog::default();
        log.push(event("STOP", 0));
        for n in 0..KEPT_EVENTS + 2 {
            log.push(event("MIGRATION", n));
        }
        assert_eq!(log.lost(), 3);
        assert_eq!(log.take("STOP"), None);
        assert_eq!(log.last("STOP"), Some(event("STOP", 0)));
        assert_eq!(log.take("MIGRATION"), Some(event("MIGRATION", 2)));
        assert_eq!(log.drain().len(), KEPT_EVENTS - 1);
        for n in 0..2 * KEPT_NAMES {
            log.push(event(&format!("E{n}"), n));
        }
        assert_eq!(log.kept().last.len(), KEPT_NAMES);
    }

    #[tokio::test]
    async fn news_between_the_look_and_the_wait_is_not_lost() {
        let log = EventLog::default();
        let mut news = log.news();
        assert_eq!(log.take("STOP"), None);
        log.push(event("STOP", 0));
        news.changed().await;
        assert_eq!(log.take("STOP"), Some(event("STOP", 0)));
        assert!(ready_value(news.changed()).await.is_none());
    }

    /// The value of a future that is ready at once.
    async fn ready_value<T>(future: impl Future<Output = T>) -> Option<T> {
        tokio::select! { biased; value = future => Some(value), () = std::future::ready(()) => None }
    }
}
