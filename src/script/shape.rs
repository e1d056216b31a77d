//! What a value looks like from outside, as far as completion needs it: its type, and the keys of maps.

use std::collections::BTreeMap;

use rhai::{Array, Dynamic, Map};

use super::names::type_word;
use crate::vm::Vm;

/// A value without its data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Shape {
    /// A `Vm`: what tells the QEMU that it is from others.
    Vm(String),
    /// A map: its keys.
    Map(BTreeMap<String, Shape>),
    /// An array: its first item.
    Array(Option<Box<Shape>>),
    /// Anything else: its type, as `type_of` calls it.
    Other(String),
}

/// Maps inside one another beyond this are not looked into, and no more than so many keys of each are known.
const MAX_DEPTH: usize = 5;
const MAX_KEYS: usize = 200;

impl Shape {
    /// The shape of a value.
    #[must_use]
    pub fn of(value: &Dynamic) -> Self {
        Self::within(value, MAX_DEPTH)
    }

    fn within(value: &Dynamic, depth: usize) -> Self {
        if let Some(vm) = value.read_lock::<Vm>() {
            return Self::Vm(qemu_of(&vm));
        }
        if depth > 0 {
            if let Some(map) = value.read_lock::<Map>() {
                let members = map.iter().take(MAX_KEYS);
                return Self::Map(
                    members.map(|(key, value)| (key.to_string(), Self::within(value, depth - 1))).collect(),
                );
            }
            if let Some(array) = value.read_lock::<Array>() {
                return Self::Array(array.first().map(|item| Box::new(Self::within(item, depth - 1))));
            }
        }
        Self::Other(type_word(value.type_name()))
    }

    /// The name of its type.
    #[must_use]
    pub fn type_name(&self) -> &str {
        match self {
            Self::Vm(_) => "Vm",
            Self::Map(_) => "map",
            Self::Array(_) => "array",
            Self::Other(name) => name,
        }
    }
}

/// What tells the QEMU program that a `Vm` runs, and the kind of its monitor, from others: all of one kind offer the same.
#[must_use]
pub fn qemu_of(vm: &Vm) -> String {
    let (kind, name) =
        (if vm.tells_events() { "qmp" } else { "hmp" }, if vm.qemu().is_empty() { vm.name() } else { "" });
    format!("{} {} {kind} {name}", vm.qemu(), vm.version())
}
