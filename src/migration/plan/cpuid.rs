//! The bits of x86's CPUID by the names that `-cpu` takes.
//!
//! Pure: a table. Registers without names here are shown by number.

/// The names of the bits that are set.
#[must_use]
pub fn names(leaf: u64, subleaf: u64, register: &str, bits: u64) -> Vec<String> {
    let table = WORDS.iter().find(|word| (word.0, word.1, word.2) == (leaf, subleaf, register));
    let name = |bit: usize| {
        let known = table.and_then(|word| word.3.split_whitespace().nth(bit)).filter(|name| *name != "-");
        known.map_or_else(|| format!("cpuid {leaf:#x} {register} bit {bit}"), str::to_owned)
    };
    (0..64).filter(|bit| bits >> bit & 1 == 1).map(name).collect()
}

/// Leaf, subleaf, register, and the names from bit 0 on (`-` for none), as in QEMU's `target/i386/cpu.c`.
const WORDS: &[(u64, u64, &str, &str)] = &[
    (
        1,
        0,
        "EDX",
        "fpu vme de pse tsc msr pae mce cx8 apic - sep mtrr pge mca cmov pat pse36 pn clflush - ds acpi mmx fxsr sse sse2 ss ht tm ia64 pbe",
    ),
    (
        1,
        0,
        "ECX",
        "pni pclmulqdq dtes64 monitor ds-cpl vmx smx est tm2 ssse3 cid - fma cx16 xtpr pdcm - pcid dca sse4.1 sse4.2 x2apic movbe popcnt tsc-deadline aes xsave - avx f16c rdrand hypervisor",
    ),
    (
        7,
        0,
        "EBX",
        "fsgsbase tsc-adjust sgx bmi1 hle avx2 - smep bmi2 erms invpcid rtm - - mpx - avx512f avx512dq rdseed adx smap avx512ifma pcommit clflushopt clwb intel-pt avx512pf avx512er avx512cd sha-ni avx512bw avx512vl",
    ),
    (
        7,
        0,
        "ECX",
        "- avx512vbmi umip pku - waitpkg avx512vbmi2 - gfni vaes vpclmulqdq avx512vnni avx512bitalg - avx512-vpopcntdq - la57 - - - - - rdpid - bus-lock-detect cldemote - movdiri movdir64b - sgxlc pks",
    ),
    (
        7,
        0,
        "EDX",
        "- - avx512-4vnniw avx512-4fmaps fsrm - - - avx512-vp2intersect - md-clear - - - serialize - tsx-ldtrk - - arch-lbr - - amx-bf16 avx512-fp16 amx-tile amx-int8 spec-ctrl stibp flush-l1d arch-capabilities core-capability ssbd",
    ),
    (
        7,
        1,
        "EAX",
        "- - - - avx-vnni avx512-bf16 - cmpccxadd - - fzrm fsrs fsrc - - - - - - - - amx-fp16 - avx-ifma",
    ),
    (0xd, 1, "EAX", "xsaveopt xsavec xgetbv1 xsaves xfd"),
    (6, 0, "EAX", "- - arat"),
    (
        0x8000_0001,
        0,
        "EDX",
        "- - - - - - - - - - - syscall - - - - - - - mp nx - mmxext - - fxsr-opt pdpe1gb rdtscp - lm 3dnowext 3dnow",
    ),
    (
        0x8000_0001,
        0,
        "ECX",
        "lahf-lm cmp-legacy svm extapic cr8legacy abm sse4a misalignsse 3dnowprefetch osvw ibs xop skinit wdt - lwp fma4 tce - nodeid-msr - tbm topoext perfctr-core perfctr-nb",
    ),
    (0x8000_0007, 0, "EDX", "- - - - - - - - invtsc"),
    (
        0x8000_0008,
        0,
        "EBX",
        "clzero - xsaveerptr - - - - - - wbnoinvd - - ibpb - ibrs amd-stibp - - - - - - - - amd-ssbd virt-ssbd amd-no-ssb",
    ),
    (
        0x4000_0001,
        0,
        "EAX",
        "kvmclock kvm-nopiodelay kvm-mmu kvmclock kvm-asyncpf kvm-steal-time kvm-pv-eoi kvm-pv-unhalt - kvm-pv-tlb-flush kvm-asyncpf-vmexit kvm-pv-ipi kvm-poll-control kvm-pv-sched-yield kvm-asyncpf-int kvm-msi-ext-dest-id - - - - - - - - kvmclock-stable-bit",
    ),
    (
        0x8000_000a,
        0,
        "EDX",
        "npt lbrv svm-lock nrip-save tsc-scale vmcb-clean flushbyasid decodeassists - - pause-filter - pfthreshold avic - v-vmsave-vmload vgif",
    ),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bits_have_the_names_that_cpu_takes() {
        assert_eq!(names(1, 0, "ECX", 1 << 17 | 1 << 31), ["pcid", "hypervisor"]);
        assert_eq!(names(7, 0, "EBX", 1 << 31), ["avx512vl"]);
        assert_eq!(names(0x8000_0001, 0, "EDX", 1 << 20), ["nx"]);
        assert_eq!(names(1, 0, "EDX", 1 << 28), ["ht"]);
        assert_eq!(names(0x24, 0, "EBX", 2), ["cpuid 0x24 EBX bit 1"]);
    }
}
