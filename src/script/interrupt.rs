//! What ends a script from outside: a signal, or the deadline of the run.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;

use crate::error::Error;

/// Shared between the script, which looks at it, and whoever may end the script.
#[derive(Debug, Clone, Default)]
pub struct Interrupt(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    raised: AtomicBool,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    token: CancellationToken,
    cause: Option<Error>,
    last: Option<Instant>,
}

impl Interrupt {
    /// End the script: any wait ends now, and any computation at its next step. The first cause counts.
    ///
    /// Causes that come within a second are one: who kills a process group, or leans on the keys, does not
    /// mean to break off what the script does to leave its guests safe.
    pub fn raise(&self, cause: Error) {
        const ONE: Duration = Duration::from_secs(1);
        let mut state = self.0.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.last.is_some_and(|last| last.elapsed() < ONE) {
            return;
        }
        state.last = Some(Instant::now());
        state.cause.get_or_insert(cause);
        self.0.raised.store(true, Ordering::Relaxed);
        state.token.cancel();
    }

    /// Whether the script is to end.
    #[must_use]
    pub fn is_raised(&self) -> bool {
        self.0.raised.load(Ordering::Relaxed)
    }

    /// Why the script was ended, if it was.
    #[must_use]
    pub fn cause(&self) -> Option<Error> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner).cause.clone()
    }

    /// Resolves when it is raised.
    #[must_use]
    pub fn token(&self) -> CancellationToken {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner).token.clone()
    }

    /// Forget all that was raised, for the next entry of a session.
    pub fn reset(&self) {
        *self.0.state.lock().unwrap_or_else(PoisonError::into_inner) = State::default();
        self.0.raised.store(false, Ordering::Relaxed);
    }

    /// Let waits work again, for the closures that run when the script ends. The cause stays.
    pub fn rearm(&self) {
        let mut state = self.0.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.token = CancellationToken::new();
        self.0.raised.store(false, Ordering::Relaxed);
    }
}
