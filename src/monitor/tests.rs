//! `Monitor` against a real QEMU, and against peers that send what a real QEMU would not.

mod connecting;
mod exchanging;
pub(super) mod peer;
mod qemu;

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::Poll;
use std::time::Duration;

/// How long anything may take here.
pub(super) const DEADLINE: Duration = Duration::from_secs(30);

/// The value of a future, before a deadline.
pub(super) async fn soon<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(DEADLINE, future).await.expect("in time")
}

/// Start a future: poll it once, and see that it has to wait.
pub(super) async fn start<F: Future>(future: F) -> Pin<Box<F>> {
    let mut future = Box::pin(future);
    poll_fn(|context| {
        assert!(future.as_mut().poll(context).is_pending(), "it did not wait");
        Poll::Ready(())
    })
    .await;
    future
}
