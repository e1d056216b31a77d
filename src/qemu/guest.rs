//! The built-in guest: the parameters of `heartbeat.s`, what it prints, and whether its memory is intact.
//!
//! Pure: it makes the bytes of an option ROM and judges bytes read from a stopped
//! guest. Who writes the file, starts QEMU and reads the memory is not its business.

mod check;
mod damage;

use std::ops::{Range, RangeInclusive};

pub use check::{Check, Intact};
pub use damage::{Content, Damage, Noticed, Run};

/// The size of a page of x86, in bytes.
pub const PAGE: usize = 4096;

/// The physical memory that holds the guest's code, parameters and status: read it first, for [`Check::new`].
pub const STATUS: Range<u64> = SECTOR..0x8090;

/// Where the option ROM copies itself to.
const SECTOR: u64 = 0x7c00;

/// `heartbeat.s`, assembled, as it says at its top.
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

/// A page is filled with its address plus `STEP` for each pass.
const STEP: u32 = 0x9e37_79b1;

/// Whether a page begins at `address`.
fn is_page(address: u32) -> bool {
    (address as usize).is_multiple_of(PAGE)
}

/// The parameters of a heartbeat guest.
///
/// It prints `beat 0000002a` on its first serial port, [`BEATS`](Self::BEATS) times a second unless told otherwise, and
/// keeps rewriting a range of its memory, checking each page before it writes it again. It needs a PC (`pc`, `q35`,
/// `isapc`) with 3 MiB of RAM, a BIOS and a serial port, and nothing else.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Heartbeat {
    memory: Range<u64>,
    rate: u64,
    beats: u64,
}

impl Heartbeat {
    /// The name of the file that its ROM is kept in.
    pub const FILE: &str = "heartbeat.rom";

    /// How much memory the guest rewrites unless told otherwise. With [`RATE`](Self::RATE) every
    /// page is written once a second, and a migration at QEMU's default bandwidth (128 MiB/s) is short.
    pub const MEMORY: u64 = 16 * MIB;

    /// How many bytes per second the guest writes unless told otherwise: an eighth of QEMU's default
    /// bandwidth, so that precopy converges, at 3% of a host CPU under TCG.
    pub const RATE: u64 = 16 * MIB;

    /// Beats per second unless told otherwise, as long as the guest runs. A few get lost when the host is busy.
    pub const BEATS: u64 = 100;

    /// How many beats per second there can be: fewer, and the timer's divisor needs more than its 16 bits; more, and
    /// TCG has no time for anything else.
    const POSSIBLE_BEATS: RangeInclusive<u64> = 19..=1000;

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
        Ok(Self { memory: start..start + memory, rate, beats: Self::BEATS })
    }

    /// The same guest with so many beats per second.
    pub fn with_beats(self, beats: u64) -> Result<Self, String> {
        if Self::POSSIBLE_BEATS.contains(&beats) {
            Ok(Self { beats, ..self })
        } else {
            let (least, most) = (Self::POSSIBLE_BEATS.start(), Self::POSSIBLE_BEATS.end());
            Err(format!("`beats` must be {least} to {most} a second, not {beats}"))
        }
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
        let rate = match u128::from(self.rate) * (1 << 16) / (PAGE as u128 * u128::from(self.beats)) {
            _ if self.rate == 0 => 0xffff_0000,
            rate => u32::try_from(rate).unwrap_or(u32::MAX).clamp(1, 0xffff_0000),
        };
        let word = |value: u64| u32::try_from(value).unwrap_or(u32::MAX).to_le_bytes();
        let mut rom = *ROM;
        rom[START..][..4].copy_from_slice(&word(self.memory.start));
        rom[END..][..4].copy_from_slice(&word(self.memory.end));
        rom[RATE..][..4].copy_from_slice(&rate.to_le_bytes());
        rom[DIVISOR..][..4].copy_from_slice(&word(TIMER.div_ceil(self.beats)));
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
///
/// A migration can fall into a line: the source prints its beginning, the target the rest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Line {
    /// The sequence number of a beat; the first is 1.
    Beat(u32),
    /// The address of the first word of a page that was not what the guest had written there.
    Fail(u32),
}

impl Line {
    /// Read a line, with or without its end; `None` for one that is not the guest's.
    #[must_use]
    pub fn parse(line: &str) -> Option<Self> {
        let (word, number) = line.trim_end().split_once(' ')?;
        let hexadecimal = number.len() == 8 && number.bytes().all(|it| it.is_ascii_hexdigit());
        let number = u32::from_str_radix(number, 16).ok().filter(|_| hexadecimal)?;
        match word {
            "beat" => Some(Self::Beat(number)),
            "fail" => Some(Self::Fail(number)),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;
    use std::process::Command;

    use super::*;

    fn run(directory: &Path, program: &str, arguments: &str) -> String {
        let mut command = Command::new(program);
        let output = command.current_dir(directory).args(arguments.split(' ')).output().unwrap();
        assert!(output.status.success(), "{program}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    #[test]
    #[cfg(target_arch = "x86_64")]
    fn the_binary_and_the_constants_are_those_of_the_source() {
        let directory = tempfile::tempdir().unwrap();
        fs::write(directory.path().join("heartbeat.s"), include_str!("heartbeat.s")).unwrap();
        run(directory.path(), "as", "--32 heartbeat.s -o heartbeat.o");
        let options = "-m elf_i386 -Ttext=0x7c00 --entry=0 --oformat=binary";
        run(directory.path(), "ld", &format!("{options} heartbeat.o -o heartbeat.bin"));
        assert!(
            fs::read(directory.path().join("heartbeat.bin")).unwrap() == ROM,
            "assemble `heartbeat.s` again"
        );

        let symbols = run(directory.path(), "nm", "heartbeat.o");
        let symbol = |name: &str| {
            let mut lines = symbols.lines().map(|line| line.split(' ').collect::<Vec<_>>());
            let line = lines.find(|line| line[2] == name).unwrap();
            u64::from_str_radix(line[0], 16).unwrap()
        };
        assert_eq!(symbol("PAGE"), PAGE as u64);
        assert_eq!(symbol("SECTOR")..symbol("NOTICED_END"), STATUS);
        assert_eq!(symbol("start"), START as u64);
        assert_eq!(symbol("end"), END as u64);
        assert_eq!(symbol("rate"), RATE as u64);
        assert_eq!(symbol("divisor"), DIVISOR as u64);
        assert_eq!(symbol("sum"), CHECKSUM as u64);
        assert_eq!(symbol("STEP"), u64::from(STEP));
        assert_eq!(symbol("MAGIC"), u64::from(check::MAGIC));
        assert_eq!(symbol("STATUS"), check::REGISTERS);
        assert_eq!(symbol("NOTICED"), check::NOTICED);
    }

    /// The parameters in the ROM of a guest with 128 MiB of RAM.
    fn parameters(memory: u64, rate: u64) -> [u32; 4] {
        let rom = Heartbeat::new(memory, rate, 128 * MIB).unwrap().option_rom();
        [START, END, RATE, DIVISOR].map(|at| u32::from_le_bytes(rom[at..at + 4].try_into().unwrap()))
    }

    #[test]
    fn the_rom_is_one_that_a_bios_accepts() {
        let rom = Heartbeat::new(64 * MIB, 0, 128 * MIB).unwrap().option_rom();
        assert_eq!(rom[..3], [0x55, 0xaa, 1]);
        assert_eq!(rom.iter().fold(0u8, |sum, &byte| sum.wrapping_add(byte)), 0);
        assert_eq!(rom[..START], ROM[..START]);
    }

    #[test]
    fn the_rom_carries_the_parameters() {
        assert_eq!(parameters(64 * MIB, 16 * MIB), [0x10_0000, 0x410_0000, 0x28_f5c2, 11_932]);
        assert_eq!(parameters(4096, 4096 * 100)[2], 1 << 16);
    }

    #[test]
    fn the_beats_are_what_the_timer_can_count() {
        let guest = || Heartbeat::new(64 * MIB, 16 * MIB, 128 * MIB).unwrap();
        let word = |beats, at: usize| {
            let rom = guest().with_beats(beats).unwrap().option_rom();
            u32::from_le_bytes(rom[at..at + 4].try_into().unwrap())
        };
        assert_eq!(guest().with_beats(Heartbeat::BEATS).unwrap().option_rom(), guest().option_rom());
        assert_eq!([word(1000, RATE), word(1000, DIVISOR)], [0x4_1893, 1194]);
        assert!(u16::try_from(word(19, DIVISOR)).is_ok());
        assert_eq!(guest().with_beats(18), Err("`beats` must be 19 to 1000 a second, not 18".into()));
        assert!(guest().with_beats(1001).is_err());
    }

    #[test]
    fn no_rate_is_too_low_or_too_high() {
        assert_eq!(parameters(4096, 1)[2], 1);
        assert_eq!(parameters(4096, 0)[2], 0xffff_0000);
        assert_eq!(parameters(4096, u64::MAX)[2], 0xffff_0000);
    }

    #[test]
    fn the_memory_is_whole_pages_that_the_guest_has() {
        let new = |memory, ram| Heartbeat::new(memory, 0, ram).map(|it| it.memory());
        assert_eq!(new(126 * MIB, 128 * MIB), Ok(MIB..127 * MIB));
        assert_eq!(new(2046 * MIB, 8192 * MIB), Ok(MIB..2047 * MIB));
        assert_eq!(
            new(127 * MIB, 128 * MIB),
            Err("`memory` of 130048 KiB does not fit: a guest with 128 MiB of RAM can rewrite 129024 KiB \
                 (not the first and the last MiB, and nothing beyond 2 GiB)"
                .into())
        );
        assert!(new(2047 * MIB, 8192 * MIB).is_err());
        assert!(new(4096, MIB).is_err());
        let not_pages = |it| Err(format!("`memory` must be a multiple of a page of 4096 bytes, not {it}"));
        assert_eq!(new(5000, 128 * MIB), not_pages(5000));
        assert_eq!(new(0, 128 * MIB), not_pages(0));
    }

    #[test]
    fn the_defaults_fit_a_small_guest() {
        assert!(Heartbeat::new(Heartbeat::MEMORY, Heartbeat::RATE, 18 * MIB).is_ok());
    }

    #[test]
    fn commas_in_the_path_are_doubled() {
        assert_eq!(
            Heartbeat::arguments("/run/a,b/heartbeat.rom"),
            ["-option-rom", "/run/a,,b/heartbeat.rom"]
        );
    }

    #[test]
    fn lines_are_recognised() {
        assert_eq!(Line::parse("beat 0000002a\n"), Some(Line::Beat(42)));
        assert_eq!(Line::parse("beat 0000002a\r\n"), Some(Line::Beat(42)));
        assert_eq!(Line::parse("fail 00617ffc"), Some(Line::Fail(0x61_7ffc)));
        for other in
            ["", "beat", "beat 2a", "eat 0000002a", "beat 0000002g", "beat +000002a", "boot 0000002a"]
        {
            assert_eq!(Line::parse(other), None, "{other}");
        }
    }
}
