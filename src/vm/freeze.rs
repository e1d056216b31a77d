//! A QEMU that is stopped for a moment, so that what is known of it stays true while something is done about it.

use std::time::Duration;

use tokio::time::timeout;

use super::Vm;
use crate::error::Result;

/// Its threads stop within microseconds, unless they cannot be seen.
const PATIENCE: Duration = Duration::from_secs(2);

impl Vm {
    /// Stop its process, and see every event that it has sent: from here on it does nothing, and whether it has begun
    /// to run a guest is known. QEMU sends `RESUME` before the first instruction (5.2 … 11.1). `false` if that cannot
    /// be had: its process is not known, is somebody else's or is not QEMU itself, or its monitor tells of no events.
    pub async fn freeze(&self) -> bool {
        let control = &self.0.control;
        let Some(process) = self.0.process.as_ref().filter(|_| control.tells_events()) else { return false };
        // A script that has QEMU as a child can be stopped without QEMU.
        let is_qemu = control.listener().is_none_or(|listener| u32::try_from(listener) == Ok(process.pid()));
        if !is_qemu {
            return false;
        }
        if !matches!(timeout(PATIENCE, process.freeze()).await, Ok(Ok(()))) {
            let _ = process.thaw();
            return false;
        }
        control.catch_up().await;
        true
    }

    /// Let it go on.
    ///
    /// # Errors
    /// `Environment` if its process may not be signalled.
    pub fn thaw(&self) -> Result<()> {
        self.0.process.as_ref().map_or(Ok(()), |process| process.thaw())
    }
}
