//! What the recipe verbs need to compare two QEMUs before a guest moves from one to the other.

use rhai::plugin::*;

use crate::monitor::hmp::tree;
use crate::script::value::to_dynamic;

#[export_module]
pub mod api {
    /// What `info qtree` prints, as an array of devices: `type`, `id` (`""` if it has none), `bus`, `on` (the id or type
    /// of the device whose bus that is), `properties`, and `pci` (vendor and device) where it has them.
    ///
    /// ```rhai
    /// let vm = launch(#{ args: "-S -device virtio-rng-pci,id=rng0,addr=0x9" });
    /// let rng = device_tree(vm.hmp("info qtree")).find(|device| device.id == "rng0");
    /// assert_eq(rng.properties.addr, "09.0");
    /// ```
    pub fn device_tree(text: &str) -> Dynamic {
        to_dynamic(&tree::tree(text))
    }
}
