//! What a run holds until its end: its QEMUs, the directories that no QEMU has got yet, and what was deferred.

use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use rhai::FnPtr;
use serde_json::json;

use super::Session;
use crate::error::Result;
use crate::onlooker::{Told, Watch};
use crate::qemu::directory::Directory;
use crate::vm::Vm;

/// All of it.
#[derive(Default)]
pub struct Holdings {
    named: AtomicUsize,
    adopted: AtomicUsize,
    vms: Mutex<Vec<Held>>,
    directories: Mutex<Vec<Directory>>,
    deferred: Mutex<Vec<FnPtr>>,
    /// Whether what is kept ends with the run, too.
    all_end: AtomicBool,
}

/// A `Vm` of the run, and its number.
struct Held {
    id: usize,
    vm: Vm,
}

impl Session {
    /// A name for a `Vm` that was given none: `vm1`, `vm2`, …
    #[must_use]
    pub fn next_name(&self) -> String {
        format!("vm{}", self.0.held.named.fetch_add(1, Ordering::Relaxed) + 1)
    }

    /// Those that have ended and that the script has let go of are let go of here too: a long run must not collect
    /// descriptors and directories.
    pub(super) fn let_go(&self) {
        let is_gone = |held: &mut Held| !held.vm.is_shared() && held.vm.ended().is_some();
        let gone: Vec<Held> = lock(&self.0.held.vms).extract_if(.., is_gone).collect();
        self.part_with(&gone);
    }

    /// Hold a `Vm` until the run ends.
    pub fn adopt(&self, vm: &Vm) {
        self.note(vm);
        let id = self.0.held.adopted.fetch_add(1, Ordering::Relaxed);
        let record = self.0.gate.record().cloned();
        let onlooker = self.0.onlooker.get().cloned();
        let watch = onlooker.map(|onlooker| Watch::new(id, vm, self.0.runtime.clone(), onlooker));
        let name = vm.name().to_owned();
        vm.report_to(Box::new(move |exchange| {
            if let Some(record) = &record {
                record.exchange(&name, exchange);
            }
            if let Some(watch) = &watch {
                watch.exchange(exchange);
            }
        }));
        lock(&self.0.held.vms).push(Held { id, vm: vm.clone() });
        if let Some(observer) = self.0.observer.get() {
            observer(vm);
        }
    }

    /// The QEMUs of this run, those included that have ended and that the script still holds.
    #[must_use]
    pub fn vms(&self) -> Vec<Vm> {
        lock(&self.0.held.vms).iter().map(|held| held.vm.clone()).collect()
    }

    /// Make a private directory, and hold it until a QEMU gets it or the run ends.
    pub fn make_directory(&self, name: &str) -> Result<String> {
        let directory = Directory::create(name)?;
        let path = directory.path().to_string_lossy().into_owned();
        self.step("file", &json!({ "path": path }))?;
        lock(&self.0.held.directories).push(directory);
        Ok(path)
    }

    /// Let go of a directory that was made, for the QEMU that gets it.
    #[must_use]
    pub fn take_directory(&self, path: &str) -> Option<Directory> {
        let mut directories = lock(&self.0.held.directories);
        let at = directories.iter().position(|directory| directory.path() == Path::new(path))?;
        Some(directories.swap_remove(at))
    }

    /// The QEMUs of this run but one.
    #[must_use]
    pub fn others(&self, vm: &Vm) -> Vec<Vm> {
        self.vms().into_iter().filter(|other| !other.is(vm)).collect()
    }

    /// Run a closure when the script ends.
    pub fn defer(&self, closure: FnPtr) {
        lock(&self.0.held.deferred).push(closure);
    }

    /// The closure that was deferred last and has not run yet.
    #[must_use]
    pub fn next_deferred(&self) -> Option<FnPtr> {
        lock(&self.0.held.deferred).pop()
    }

    /// Let what the run launched end with it, also what it keeps: nothing outlives a test.
    pub fn let_all_end(&self) {
        self.0.held.all_end.store(true, Ordering::Relaxed);
    }

    /// End every QEMU that the script launched and did not `keep`.
    pub fn retire(&self) {
        let held = std::mem::take(&mut *lock(&self.0.held.vms));
        let vms: Vec<Vm> = held.iter().map(|held| held.vm.clone()).collect();
        self.part_with(&held);
        drop(held);
        lock(&self.0.held.directories).clear();
        self.0.interrupt.rearm();
        let _ = self.block_on(async {
            // All at once: each may need a moment to flush its disks.
            let mut ends = tokio::task::JoinSet::new();
            let all_end = self.0.held.all_end.load(Ordering::Relaxed);
            let ends_now = |vm: &Vm| !vm.is_kept() || (all_end && vm.directory().is_some());
            for vm in vms.into_iter().filter(ends_now) {
                ends.spawn(async move { vm.retire().await });
            }
            ends.join_all().await;
            Ok(())
        });
    }

    fn part_with(&self, gone: &[Held]) {
        for held in gone {
            self.tell(&Told::Farewell(held.id, &held.vm));
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
