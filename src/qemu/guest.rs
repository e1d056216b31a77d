//! The built-in guest: the parameters of `heartbeat.s`, what it prints, and whether its memory is intact.
//!
//! Pure: it makes the bytes of an option ROM and judges bytes read from a stopped
//! guest. Who writes the file, starts QEMU and reads the memory is not its business.

mod check;

use std::ops::Range;

pub use check::{Check, Content, Damage, Intact, Noticed, Run};

/// The size of a page of x86, in bytes.
pub const PAGE: usize = 4096;

/// The physical memory that holds the guest's code, parameters and status: read it first, for [`Check::new`].
pub const STATUS: Range<u64> = SECTOR..0x8090;

/// Where the option ROM copies itself to.
const SECTOR: u64 = 0x7c00;

/// `heartbeat.s`, assembled; how is written there.
const ROM: &[u8; 512] = include_bytes!("heartbeat.bin");

/// The offsets of the parameters in the ROM: four 32-bit words, and the byte that makes the sum of all bytes 0.
const START: usize = 0x1ec;
const END: usize = START + 4;
const RATE: usize = START + 8;
const DIVISOR: usize = START + 12;
const CHECKSUM: usize = 511;

/// The cycles in a second of the PC's interval timer.
const TIMER: u64 = 1_193_182;

const MIB: u64 = 1 << 20;

/// The parameters of a heartbeat guest: it prints `beat 0000002a` on its first serial
/// port, [`BEATS`](Self::BEATS) times a second, and keeps rewriting a range of its memory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Heartbeat {
    memory: Range<u64>,
    rate: u64,
}

impl Heartbeat {
    /// How much memory the guest rewrites unless told otherwise. With [`RATE`](Self::RATE) every
    /// page is written once a second, and a migration at QEMU's default bandwidth (128 MiB/s) is short.
    pub const MEMORY: u64 = 16 * MIB;

    /// How many bytes per second the guest writes unless told otherwise: an eighth of QEMU's default
    /// bandwidth, so that precopy converges, at 3% of a host CPU under TCG.
    pub const RATE: u64 = 16 * MIB;

    /// Beats per second, as long as the guest runs. A few get lost when the host is busy.
    pub const BEATS: u64 = 100;

    /// A guest with `ram` bytes of RAM that rewrites `memory` bytes of it, `rate` bytes per second
    /// (0: as fast as it can). Only the first pass over the memory is not held back.
    pub fn new(memory: u64, rate: u64, ram: u64) -> Result<Self, String> {
        // Below: the BIOS's and the guest's own. Above: the BIOS keeps tables and the rings of its
        // drivers at the end of RAM; on q35, RAM beyond 2 GiB may lie above the PCI hole.
        let start = MIB;
        let limit = ram.min(2048 * MIB).saturating_sub(MIB);
        if memory == 0 || !memory.is_multiple_of(PAGE as u64) {
            return Err(format!("`memory` must be a multiple of a page of {PAGE} bytes, not {memory}"));
        }
        if memory > limit.saturating_sub(start) {
            return Err(format!(
                "`memory` of {} KiB does not fit: a guest with {} MiB of RAM can rewrite {} KiB \
                 (not the first and the last MiB, and nothing beyond 2 GiB)",
                memory / 1024,
                ram / MIB,
                limit.saturating_sub(start) / 1024,
            ));
        }
        Ok(Self { memory: start..start + memory, rate })
    }

    /// The physical memory that the guest rewrites.
    #[must_use]
    pub fn memory(&self) -> Range<u64> {
        self.memory.clone()
    }

    /// The option ROM to start QEMU with, see [`arguments`](Self::arguments).
    #[must_use]
    pub fn option_rom(&self) -> [u8; 512] {
        // In pages per beat, with 16 binary places. The most that the guest can count is more than
        // it can write, and the least is 6 bytes per second.
        let rate = match u128::from(self.rate) * (1 << 16) / (PAGE as u128 * u128::from(Self::BEATS)) {
            _ if self.rate == 0 => 0xffff_0000,
            rate => u32::try_from(rate).unwrap_or(u32::MAX).clamp(1, 0xffff_0000),
        };
        let word = |value: u64| u32::try_from(value).unwrap_or(u32::MAX).to_le_bytes();
        let mut rom = *ROM;
        rom[START..][..4].copy_from_slice(&word(self.memory.start));
        rom[END..][..4].copy_from_slice(&word(self.memory.end));
        rom[RATE..][..4].copy_from_slice(&rate.to_le_bytes());
        rom[DIVISOR..][..4].copy_from_slice(&word(TIMER.div_ceil(Self::BEATS)));
        rom[CHECKSUM] = rom.iter().fold(0u8, |sum, &byte| sum.wrapping_sub(byte));
        rom
    }

    /// What QEMU is started with so that it runs the guest whose [`option_rom`](Self::option_rom) is the file `rom`.
    ///
    /// An option ROM is the fastest way in (first beat after 70–130 ms under TCG, on `pc` and `q35`),
    /// and leaves no trace in a migration: no disk, no lock, no RAM block. QEMU reads the file once,
    /// at its start. The target of a migration needs it only to survive a reset.
    #[must_use]
    pub fn arguments(rom: &str) -> [String; 2] {
        // QEMU splits the value at commas; a doubled one is a comma.
        ["-option-rom".into(), rom.replace(',', ",,")]
    }
}

/// A line that the guest prints on its first serial port.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Line {
    /// The sequence number of a beat; the first is 1.
    Beat(u32),
    /// The address of a page which the guest found to hold something else than it had written there.
    Fail(u32),
}

impl Line {
    /// Read a line, with or without its end; `None` for one that is not the guest's.
    #[must_use]
    pub fn parse(line: &str) -> Option<Self> {
        let (word, number) = line.trim_end().split_once(' ')?;
        let number = (number.len() == 8).then(|| u32::from_str_radix(number, 16).ok())??;
        match word {
            "beat" => Some(Self::Beat(number)),
            "fail" => Some(Self::Fail(number)),
            _ => None,
        }
    }
}
