//! Whether the memory of a stopped guest is what the guest wrote there.
//!
//! Pure: bytes in, verdict out. It knows the layout of the status and the content of
//! the pages from `heartbeat.s`, which says why any moment is a good one to look.

use std::fmt;
use std::ops::Range;

use super::{END, PAGE, ROM, SECTOR, START, STATUS};

/// The word of a page is its address plus `STEP` for each pass.
const STEP: u32 = 0x9e37_79b1;

/// What makes `STEP` 1: with it, a word tells its pass.
const STEP_INVERSE: u32 = inverse(STEP);

/// "qhop", in `esi` whenever the status is written.
const MAGIC: u32 = 0x706f_6871;

/// Where the guest's stack begins. `pushal` leaves its registers below, from `edi` on; its findings are above.
const STATUS_TOP: u64 = 0x8080;

/// How many runs of damaged pages are remembered.
const REMEMBERED: usize = 8;

/// A check of a guest that is stopped, and stays so until all of its memory was read: feed it the
/// memory that it asks for.
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
    /// Begin with the bytes at [`STATUS`]; `None` if no heartbeat guest runs there (yet).
    #[must_use]
    pub fn new(status: &[u8]) -> Option<Self> {
        let word = |address: u64| {
            let offset = usize::try_from(address.checked_sub(STATUS.start)?).ok()?;
            Some(u32::from_le_bytes(status.get(offset..offset + 4)?.try_into().ok()?))
        };
        let register = |index: u64| word(STATUS_TOP - 32 + index * 4);
        let (cursor, magic, beats, stack, pass) =
            (register(0)?, register(1)?, register(2)?, register(3)?, register(4)?);
        if magic != MAGIC || u64::from(stack) != STATUS_TOP {
            return None;
        }

        let code = damaged_code(status.get(..ROM.len())?);
        let (start, end) = (word(SECTOR + START as u64)?, word(SECTOR + END as u64)?);
        let plausible = (start..end).contains(&cursor) && [start, end, cursor].iter().all(|&it| is_page(it));
        let code = code.or((!plausible).then_some(STATUS_TOP - 32));
        let mut damage = Damage { code, ..Damage::default() };
        // Where the parameters cannot be believed there is nothing to compare the memory with.
        let memory = if damage.code.is_none() { u64::from(start)..u64::from(end) } else { 0..0 };
        let count = word(STATUS_TOP)?;
        if count > 0 {
            let (address, found, at) = (word(STATUS_TOP + 4)?, word(STATUS_TOP + 8)?, word(STATUS_TOP + 12)?);
            let expected = at.wrapping_sub(1);
            let content = Content::of(&[found], address - address % low(PAGE as u64), expected, &memory);
            damage.noticed = Some(Noticed { pages: count, pass: at, address: address.into(), content });
        }
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

    /// The verdict. What was not fed counts as damage.
    pub fn finish(mut self) -> Result<Intact, Damage> {
        let pages = |bytes: u64| bytes / PAGE as u64;
        self.damage.pages = pages(self.memory.end - self.memory.start);
        self.damage.unread = pages(self.memory.end - self.next);
        let damage = &self.damage;
        if damage.code.is_some() || damage.noticed.is_some() || damage.damaged > 0 || damage.unread > 0 {
            return Err(self.damage);
        }
        let end = if self.pass == 1 { self.cursor } else { self.memory.end };
        Ok(Intact {
            beats: self.beats,
            pass: self.pass,
            checked: pages(end - self.memory.start),
            pages: self.damage.pages,
        })
    }

    fn page(&mut self, bytes: &[u8]) {
        let address = low(self.next);
        let pass = if self.next > self.cursor { self.pass.wrapping_sub(1) } else { self.pass };
        let in_flight = self.next == self.cursor;
        // In the first pass nobody knows what was there before.
        if pass == 0 || (pass == 1 && in_flight) {
            return;
        }
        let expected = word(address, pass);
        if bytes == expected.to_le_bytes().repeat(PAGE / 4) {
            return;
        }
        let words: Vec<u32> =
            bytes.chunks_exact(4).map(|it| u32::from_le_bytes([it[0], it[1], it[2], it[3]])).collect();
        let old = word(address, pass.wrapping_sub(1));
        if in_flight && words.iter().skip_while(|&&it| it == expected).all(|&it| it == old) {
            return;
        }
        let content = Content::of(&words, address, self.pass, &self.memory);
        self.damage.add(self.next, pass, content);
    }
}

/// A verdict: the memory is what the guest wrote.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Intact {
    /// The beats so far.
    pub beats: u32,
    /// The pass that the guest is in, from 1 on.
    pub pass: u32,
    /// The pages whose content was compared: in the first pass only those already written.
    pub checked: u64,
    /// The pages that the guest rewrites.
    pub pages: u64,
}

impl fmt::Display for Intact {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { beats, pass, checked, pages } = self;
        if checked == pages {
            write!(f, "all {pages} pages intact at beat {beats}, in pass {pass}")
        } else {
            write!(
                f,
                "{checked} of {pages} pages written so far, and intact, at beat {beats}, in pass {pass}"
            )
        }
    }
}

/// A verdict: the memory is not what the guest wrote.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Damage {
    /// The pages that the guest rewrites.
    pub pages: u64,
    /// How many of them are damaged.
    pub damaged: u64,
    /// Which, for the first few runs of pages that are damaged in the same way.
    pub runs: Vec<Run>,
    /// What the guest noticed itself, since it was started.
    pub noticed: Option<Noticed>,
    /// The first address in the guest's code, parameters or status that cannot be right. Nothing else was checked then.
    pub code: Option<u64>,
    /// How many pages were not fed to the check.
    pub unread: u64,
}

impl Damage {
    fn add(&mut self, address: u64, pass: u32, content: Content) {
        self.damaged += 1;
        let last = self.runs.last_mut().filter(|run| {
            run.address + run.pages * PAGE as u64 == address && run.pass == pass && run.content == content
        });
        if let Some(run) = last {
            run.pages += 1;
        } else if self.runs.len() < REMEMBERED {
            self.runs.push(Run { address, pages: 1, pass, content });
        }
    }
}

impl std::error::Error for Damage {}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut parts = Vec::new();
        if let Some(address) = self.code {
            parts.push(format!("the guest's own code or status is damaged at {address:#010x}"));
        }
        if self.damaged > 0 {
            let named: u64 = self.runs.iter().map(|run| run.pages).sum();
            let runs: Vec<_> = self.runs.iter().map(Run::to_string).collect();
            let more = match self.damaged - named {
                0 => String::new(),
                more => format!(", … and {more} more"),
            };
            parts.push(format!(
                "{} of {} pages are damaged: {}{more}",
                self.damaged,
                self.pages,
                runs.join(", ")
            ));
        }
        if let Some(Noticed { pages, pass, address, content }) = &self.noticed {
            parts.push(format!(
                "the guest itself came across {pages} damaged pages, in pass {pass} for the first time: {content} at {address:#010x}",
            ));
        }
        if self.unread > 0 {
            parts.push(format!("{} of {} pages were not read", self.unread, self.pages));
        }
        f.write_str(&parts.join("; "))
    }
}

/// Consecutive pages that are damaged in the same way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Run {
    /// The physical address of the first.
    pub address: u64,
    /// How many there are.
    pub pages: u64,
    /// The pass whose content they should have.
    pub pass: u32,
    /// What they have instead.
    pub content: Content,
}

impl fmt::Display for Run {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { address, pages, pass, content } = self;
        match pages {
            1 => write!(f, "{address:#010x}")?,
            _ => write!(f, "{address:#010x}–{:#010x}", address + pages * PAGE as u64 - 1)?,
        }
        write!(f, " ({content}, not pass {pass})")
    }
}

/// Damage that the guest came across before it wrote the page again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Noticed {
    /// How many pages were damaged.
    pub pages: u32,
    /// The pass in which it noticed the first; the pass before had written the page.
    pub pass: u32,
    /// The address of the first damaged word of that page.
    pub address: u64,
    /// What that word belongs to.
    pub content: Content,
}

/// What a page holds, as far as its words tell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Content {
    /// Nothing: it never arrived.
    Zeros,
    /// What the guest wrote there in this pass.
    Pass(u32),
    /// What belongs to the page at this address.
    Page(u64),
    /// Of two passes: the content of `head`, and from the byte `offset` on that of another.
    Torn {
        /// The pass of the first word.
        head: u32,
        /// The pass of the first word that is different.
        tail: u32,
        /// Where that word is in the page.
        offset: usize,
    },
    /// A word that the guest never wrote there, the first of them.
    Foreign {
        /// The word.
        word: u32,
        /// Where it is in the page.
        offset: usize,
    },
}

impl Content {
    /// What `words`, found at `address`, are, when the guest that rewrites `memory` is in `pass`.
    fn of(words: &[u32], address: u32, pass: u32, memory: &Range<u64>) -> Self {
        let head = words[0];
        let pass_of = |found: u32| {
            let of = found.wrapping_sub(address).wrapping_mul(STEP_INVERSE);
            // A status that lags behind makes the memory look ahead.
            (1..=pass.saturating_add(8)).contains(&of).then_some(of)
        };
        let Some(split) = words.iter().position(|&found| found != head) else {
            let of_page = |pass: u32| {
                let page = head.wrapping_sub(pass.wrapping_mul(STEP));
                (memory.contains(&page.into()) && is_page(page)).then_some(Self::Page(page.into()))
            };
            return match pass_of(head) {
                _ if head == 0 => Self::Zeros,
                Some(pass) => Self::Pass(pass),
                None => of_page(pass)
                    .or_else(|| of_page(pass.wrapping_sub(1)))
                    .unwrap_or(Self::Foreign { word: head, offset: 0 }),
            };
        };
        match (pass_of(head), pass_of(words[split])) {
            (Some(head), Some(tail)) => Self::Torn { head, tail, offset: split * 4 },
            (None, _) => Self::Foreign { word: head, offset: 0 },
            (_, None) => Self::Foreign { word: words[split], offset: split * 4 },
        }
    }
}

impl fmt::Display for Content {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Zeros => f.write_str("zeros"),
            Self::Pass(pass) => write!(f, "pass {pass}"),
            Self::Page(address) => write!(f, "the page of {address:#010x}"),
            Self::Torn { head, tail, offset } => {
                write!(f, "pass {head}, and from {offset:#05x} on pass {tail}")
            }
            Self::Foreign { word, offset } => write!(f, "{word:#010x} at {offset:#05x}"),
        }
    }
}

/// The word that fills the page at `address` in `pass`.
fn word(address: u32, pass: u32) -> u32 {
    address.wrapping_add(pass.wrapping_mul(STEP))
}

/// The first address at which the sector in the guest's memory is not the ROM that was loaded.
fn damaged_code(sector: &[u8]) -> Option<u64> {
    let differs = (0..START).find(|&it| sector[it] != ROM[it]);
    // The parameters differ from guest to guest, but they are under the checksum.
    let parameters = sector.iter().fold(0u8, |sum, &byte| sum.wrapping_add(byte)) != 0;
    differs.or(parameters.then_some(START)).map(|offset| SECTOR + offset as u64)
}

fn is_page(address: u32) -> bool {
    (address as usize).is_multiple_of(PAGE)
}

/// An address in the guest's memory, all of which is below 2 GiB.
fn low(address: u64) -> u32 {
    u32::try_from(address).unwrap_or(u32::MAX)
}

/// The inverse of an odd number modulo 2^32, by Newton's iteration.
const fn inverse(odd: u32) -> u32 {
    let mut inverse = odd;
    let mut round = 0;
    while round < 5 {
        inverse = inverse.wrapping_mul(2u32.wrapping_sub(odd.wrapping_mul(inverse)));
        round += 1;
    }
    inverse
}
