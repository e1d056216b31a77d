//! Whether the memory of a stopped guest is what the guest wrote there.
//!
//! Pure: bytes in, verdict out. It knows the layout of the status and the content of
//! the pages from `heartbeat.s`, which says why any moment is a good one to look.

use std::fmt;
use std::ops::Range;

use super::damage::{Content, Damage, Noticed};
use super::{END, PAGE, ROM, SECTOR, START, STATUS, STEP, is_page};

/// "qhop", in `esi`.
pub(super) const MAGIC: u32 = 0x706f_6871;

/// Where the guest keeps its registers: `edi`, `esi`, `ebp`, `esp`, `ebx` and three that do not matter.
pub(super) const REGISTERS: u64 = 0x8060;

/// Where it keeps what it noticed; the stack begins below, so this is also its `esp` before the registers were pushed.
pub(super) const NOTICED: u64 = REGISTERS + 32;

/// The check of a guest that is stopped, and stays so until its memory was fed.
///
/// It can be stopped at any time, before, during and after a migration. In the first pass
/// only the pages already written are compared: nobody knows what was in the others before.
#[derive(Debug, Clone)]
pub struct Check {
    memory: Range<u64>,
    next: u64,
    beats: u32,
    pass: u32,
    cursor: u64,
    damage: Damage,
}

impl Check {
    /// Begin with the bytes at [`STATUS`]. `None` if there is no heartbeat guest: it did not start yet,
    /// it is another guest, or it lost its status.
    #[must_use]
    pub fn new(status: &[u8]) -> Option<Self> {
        let status = status.get(..usize::try_from(STATUS.end - STATUS.start).ok()?)?;
        let at = |address: u64| {
            let offset = usize::try_from(address.checked_sub(STATUS.start)?).ok()?;
            Some(u32::from_le_bytes(status.get(offset..offset + 4)?.try_into().ok()?))
        };
        let (cursor, magic, beats, stack, pass) = (
            at(REGISTERS)?,
            at(REGISTERS + 4)?,
            at(REGISTERS + 8)?,
            at(REGISTERS + 12)?,
            at(REGISTERS + 16)?,
        );
        if magic != MAGIC || u64::from(stack) != NOTICED {
            return None;
        }

        let (start, end) = (at(SECTOR + START as u64)?, at(SECTOR + END as u64)?);
        let plausible = (start..end).contains(&cursor) && [start, end, cursor].into_iter().all(is_page);
        let code = damaged_code(status.get(..ROM.len())?).or((!plausible).then_some(REGISTERS));
        // Where the parameters cannot be believed there is nothing to compare the memory with.
        let memory = if code.is_none() { start.into()..end.into() } else { 0..0 };
        let noticed = match at(NOTICED)? {
            0 => None,
            pages => {
                let (address, word, pass) = (at(NOTICED + 4)?, at(NOTICED + 8)?, at(NOTICED + 12)?);
                let page = address - address % low(PAGE as u64);
                let content = Content::of(&[word], page, pass, &memory);
                Some(Noticed { pages: pages.into(), pass, address: address.into(), content })
            }
        };
        let damage = Damage { noticed, code, ..Damage::default() };
        Some(Self { next: memory.start, memory, beats, pass, cursor: cursor.into(), damage })
    }

    /// The physical memory to feed.
    #[must_use]
    pub fn memory(&self) -> Range<u64> {
        self.memory.clone()
    }

    /// Check the next part of the memory, any number of whole pages.
    pub fn feed(&mut self, memory: &[u8]) {
        for page in memory.chunks_exact(PAGE) {
            if self.next < self.memory.end {
                self.page(page);
                self.next += PAGE as u64;
            }
        }
    }

    /// The verdict. Memory that was not fed is held to be damaged.
    pub fn finish(self) -> Result<Intact, Damage> {
        let pages = |bytes: u64| bytes / PAGE as u64;
        let Self { memory, next, beats, pass, cursor, mut damage } = self;
        damage.pages = pages(memory.end - memory.start);
        damage.missing = pages(memory.end - next);
        if damage.is_any() {
            return Err(damage);
        }
        let end = if pass == 1 { cursor } else { memory.end };
        Ok(Intact { beats, pass, checked: pages(end - memory.start), pages: damage.pages })
    }

    fn page(&mut self, bytes: &[u8]) {
        let address = low(self.next);
        let in_flight = self.next == self.cursor;
        let pass = if self.next > self.cursor { self.pass.wrapping_sub(1) } else { self.pass };
        if pass == 0 || (pass == 1 && in_flight) {
            return;
        }
        let new = word(address, pass);
        if bytes == new.to_le_bytes().repeat(PAGE / 4) {
            return;
        }
        let words: Vec<u32> =
            bytes.chunks_exact(4).map(|it| u32::from_le_bytes([it[0], it[1], it[2], it[3]])).collect();
        let old = word(address, pass.wrapping_sub(1));
        if in_flight && words.iter().skip_while(|&&it| it == new).all(|&it| it == old) {
            return;
        }
        self.damage.add(self.next, pass, Content::of(&words, address, self.pass, &self.memory));
    }
}

/// The verdict that the memory is what the guest wrote.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Intact {
    /// The beats so far. A guest that was reset has begun again at 0.
    pub beats: u32,
    /// The pass that the guest is in, from 1 on.
    pub pass: u32,
    /// The pages that were compared.
    pub checked: u64,
    /// The pages that the guest rewrites.
    pub pages: u64,
}

impl fmt::Display for Intact {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { beats, pass, checked, pages } = self;
        write!(f, "{checked} of {pages} pages intact at beat {beats}, in pass {pass}")?;
        if checked < pages { f.write_str(" (the others are not written yet)") } else { Ok(()) }
    }
}

/// The word that fills the page at `address` in `pass`.
pub(super) fn word(address: u32, pass: u32) -> u32 {
    address.wrapping_add(pass.wrapping_mul(STEP))
}

/// An address in the memory of the guest, all of which is below 2 GiB.
fn low(address: u64) -> u32 {
    u32::try_from(address).unwrap_or(u32::MAX)
}

/// The first address at which the sector in the guest's memory is not the ROM that was loaded.
fn damaged_code(sector: &[u8]) -> Option<u64> {
    let code = (0..START).find(|&it| sector[it] != ROM[it]);
    // The parameters differ from guest to guest, but they are under the checksum.
    let sum = sector.iter().fold(0u8, |sum, &byte| sum.wrapping_add(byte));
    code.or((sum != 0).then_some(START)).map(|offset| SECTOR + offset as u64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::qemu::guest::{Heartbeat, Run};

    const MEMORY: usize = 16 * PAGE;

    /// A stopped guest that rewrites the 16 pages from 1 MiB on.
    struct Guest {
        status: Vec<u8>,
        memory: Vec<u8>,
    }

    impl Guest {
        /// A healthy guest in `pass`, at the page with the index `cursor`, of which it wrote `written` words.
        fn new(pass: u32, cursor: usize, written: usize) -> Self {
            let heartbeat = Heartbeat::new(MEMORY as u64, 0, 16 << 20).unwrap();
            let mut guest = Self { status: vec![0; 0x490], memory: Vec::new() };
            guest.status[..512].copy_from_slice(&heartbeat.option_rom());
            let cursor_address = 0x10_0000 + u32::try_from(cursor * PAGE).unwrap();
            let registers = [cursor_address, MAGIC, 42, 0x8080, pass];
            for (address, register) in (REGISTERS..).step_by(4).zip(registers) {
                guest.put(address, register);
            }
            for page in 0..16 {
                for offset in (0..PAGE).step_by(4) {
                    let new = page < cursor || (page == cursor && offset < written * 4);
                    let pass = if new { pass } else { pass.wrapping_sub(1) };
                    let word = if pass == 0 { 0xdead_beef } else { Self::word(page, pass) };
                    guest.memory.extend(word.to_le_bytes());
                }
            }
            guest
        }

        fn word(page: usize, pass: u32) -> u32 {
            word(0x10_0000 + u32::try_from(page * PAGE).unwrap(), pass)
        }

        fn put(&mut self, address: u64, word: u32) {
            let offset = usize::try_from(address - STATUS.start).unwrap();
            self.status[offset..offset + 4].copy_from_slice(&word.to_le_bytes());
        }

        fn fill(&mut self, page: usize, offset: usize, word: u32) {
            for at in self.memory[page * PAGE..][offset..PAGE].chunks_exact_mut(4) {
                at.copy_from_slice(&word.to_le_bytes());
            }
        }

        fn check(&self) -> Result<Intact, Damage> {
            let mut check = Check::new(&self.status).unwrap();
            for part in self.memory.chunks(5 * PAGE) {
                check.feed(part);
            }
            check.finish()
        }

        fn damage(&self) -> String {
            self.check().unwrap_err().to_string()
        }
    }

    #[test]
    fn a_healthy_guest_is_intact_wherever_it_was_stopped() {
        for pass in [2, 3, 5000, u32::MAX, 0] {
            for (cursor, written) in [(0, 0), (0, 1), (0, 1024), (7, 512), (15, 1023), (15, 1024)] {
                let intact = Intact { beats: 42, pass, checked: 16, pages: 16 };
                assert_eq!(Guest::new(pass, cursor, written).check(), Ok(intact));
            }
        }
    }

    #[test]
    fn in_the_first_pass_only_what_was_written_is_compared() {
        let mut guest = Guest::new(1, 3, 100);
        assert_eq!(
            guest.check().unwrap().to_string(),
            "3 of 16 pages intact at beat 42, in pass 1 (the others are not written yet)"
        );
        guest.fill(2, 0, 0);
        assert_eq!(guest.damage(), "1 of 16 pages damaged: 0x00102000 (zeros, not pass 1)");
    }

    #[test]
    fn in_the_second_pass_everything_is_compared() {
        let mut guest = Guest::new(2, 0, 0);
        assert_eq!(guest.check().unwrap().to_string(), "16 of 16 pages intact at beat 42, in pass 2");
        guest.fill(15, 4092, 7);
        assert_eq!(guest.damage(), "1 of 16 pages damaged: 0x0010f000 (0x00000007 at 0xffc, not pass 1)");
    }

    #[test]
    fn lost_pages_are_named() {
        let mut guest = Guest::new(7, 9, 0);
        for page in 2..5 {
            guest.fill(page, 0, 0);
        }
        guest.fill(12, 0x10, 0xdead_beef);
        guest.fill(13, 0x20, 0xdead_beef);
        assert_eq!(
            guest.damage(),
            "5 of 16 pages damaged: 0x00102000–0x00104fff (zeros, not pass 7), \
             0x0010c000–0x0010dfff (0xdeadbeef at 0x010, not pass 6)"
        );
    }

    #[test]
    fn stale_pages_tell_their_pass() {
        let mut guest = Guest::new(7, 9, 0);
        guest.fill(2, 0, Guest::word(2, 5));
        guest.fill(9, 0, Guest::word(9, 5));
        assert_eq!(
            guest.damage(),
            "2 of 16 pages damaged: 0x00102000 (pass 5, not pass 7), 0x00109000 (pass 5, not pass 7)"
        );
    }

    #[test]
    fn torn_pages_tell_both_passes() {
        let mut guest = Guest::new(7, 9, 512);
        guest.fill(2, 0x400, Guest::word(2, 6));
        // The page in flight may end in the pass before, but nowhere go back to this one.
        guest.fill(9, 0xff0, Guest::word(9, 7));
        assert_eq!(
            guest.damage(),
            "2 of 16 pages damaged: 0x00102000 (pass 7, and from 0x400 on pass 6, not pass 7), \
             0x00109000 (pass 7, and from 0x800 on pass 6, not pass 7)"
        );
    }

    #[test]
    fn misplaced_pages_tell_where_they_belong() {
        let mut guest = Guest::new(7, 9, 0);
        for page in 2..5 {
            guest.fill(page, 0, Guest::word(page + 3, 7));
        }
        guest.fill(10, 0, Guest::word(11, 6));
        assert_eq!(
            guest.damage(),
            "4 of 16 pages damaged: 0x00102000–0x00104fff (what belongs to 0x00105000, not pass 7), \
             0x0010a000 (what belongs to 0x0010b000, not pass 6)"
        );
    }

    #[test]
    fn memory_ahead_of_the_status_means_that_the_status_is_old() {
        let mut guest = Guest::new(7, 9, 0);
        guest.put(REGISTERS, 0x10_4000);
        assert_eq!(
            guest.damage(),
            "4 of 16 pages damaged: 0x00105000–0x00108fff (pass 7, not pass 6); \
             the memory is ahead of the guest's status, so the status is what got lost"
        );
    }

    #[test]
    fn many_damaged_pages_are_counted() {
        let mut guest = Guest::new(7, 15, 1024);
        for page in 0..16 {
            guest.fill(page, 0, if page % 2 == 0 { 0 } else { Guest::word(page, 3) });
        }
        let damage = guest.check().unwrap_err();
        assert_eq!((damage.damaged, damage.runs.len()), (16, 8));
        assert_eq!(damage.runs[1], Run { address: 0x10_1000, pages: 1, pass: 7, content: Content::Pass(3) });
        assert!(damage.to_string().ends_with("0x00107000 (pass 3, not pass 7), … and 8 more"), "{damage}");
    }

    #[test]
    fn what_the_guest_noticed_is_damage() {
        let mut guest = Guest::new(7, 9, 0);
        for (address, word) in (NOTICED..).step_by(4).zip([1, 0x10_3ff0, Guest::word(3, 4), 6]) {
            guest.put(address, word);
        }
        assert_eq!(
            guest.damage(),
            "the guest itself noticed 1 page damaged, first in pass 6 at 0x00103ff0 (pass 4, not pass 5)"
        );
    }

    #[test]
    fn damaged_code_or_parameters_are_found() {
        let mut guest = Guest::new(7, 9, 0);
        guest.status[0x90] ^= 1;
        assert_eq!(guest.damage(), "the guest's own code or status is damaged at 0x00007c90");

        let mut guest = Guest::new(7, 9, 0);
        guest.put(SECTOR + END as u64, 0x10_8000);
        assert_eq!(guest.damage(), "the guest's own code or status is damaged at 0x00007dec");

        let mut guest = Guest::new(7, 9, 0);
        guest.put(REGISTERS, 0x10_8004);
        assert_eq!(guest.damage(), "the guest's own code or status is damaged at 0x00008060");
    }

    #[test]
    fn memory_that_was_not_fed_is_missing() {
        let mut guest = Guest::new(7, 9, 0);
        guest.memory.truncate(14 * PAGE + 100);
        assert_eq!(guest.damage(), "2 of 16 pages not read");
    }

    #[test]
    fn another_guest_has_no_status() {
        assert!(Check::new(&[]).is_none());
        assert!(Check::new(&[0; 0x490]).is_none());
        let guest = Guest::new(7, 9, 0);
        assert!(Check::new(&guest.status[..0x48f]).is_none());
        assert_eq!(Check::new(&guest.status).unwrap().memory(), 0x10_0000..0x11_0000);
    }
}
