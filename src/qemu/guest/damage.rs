//! What is wrong with a guest's memory, and how to say it.
//!
//! Each pass writes another word, so a word tells which pass wrote it and where it
//! belongs: what was lost can be told from what came late, or to the wrong place.

use std::fmt;
use std::ops::Range;

use super::{PAGE, STEP, is_page};

/// What makes `STEP` 1: with it, a word tells its pass.
const STEP_INVERSE: u32 = inverse(STEP);

/// How many runs of damaged pages are kept.
const KEPT: usize = 8;

/// The verdict that the memory is not what the guest wrote.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Damage {
    /// The pages that the guest rewrites.
    pub pages: u64,
    /// How many of them are damaged.
    pub damaged: u64,
    /// Which, as the first eight runs.
    pub runs: Vec<Run>,
    /// What the guest noticed itself since it was started.
    pub noticed: Option<Noticed>,
    /// The first address at which the guest's code, parameters or status are not right; its memory was not compared then.
    pub code: Option<u64>,
    /// How many pages the check was not given.
    pub missing: u64,
}

impl Damage {
    /// Whether there is any.
    pub(super) fn is_any(&self) -> bool {
        self.damaged > 0 || self.missing > 0 || self.noticed.is_some() || self.code.is_some()
    }

    /// Add the page at `address`, which should be of `pass`, but is `content`.
    pub(super) fn add(&mut self, address: u64, pass: u32, content: Content) {
        self.damaged += 1;
        let run = self.runs.last_mut().filter(|run| {
            run.address + run.pages * PAGE as u64 == address
                && run.pass == pass
                && content.continues(&run.content, run.pages)
        });
        if let Some(run) = run {
            run.pages += 1;
        } else if self.runs.len() < KEPT {
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
            let mut runs: Vec<_> = self.runs.iter().map(Run::to_string).collect();
            let more = self.damaged - self.runs.iter().map(|run| run.pages).sum::<u64>();
            if more > 0 {
                runs.push(format!("… and {more} more"));
            }
            let (damaged, pages) = (self.damaged, counted(self.pages));
            parts.push(format!("{damaged} of {pages} damaged: {}", runs.join(", ")));
        }
        if self.runs.iter().any(|run| run.content.is_newer_than(run.pass)) {
            parts.push("the memory is ahead of the guest's status, so the status is what got lost".into());
        }
        parts.extend(self.noticed.as_ref().map(Noticed::to_string));
        if self.missing > 0 {
            parts.push(format!("{} of {} not read", self.missing, counted(self.pages)));
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
    /// The pass that they should be of.
    pub pass: u32,
    /// What the first is instead.
    pub content: Content,
}

impl fmt::Display for Run {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { address, pages, pass, content } = self;
        write!(f, "{address:#010x}")?;
        if *pages > 1 {
            write!(f, "–{:#010x}", address + pages * PAGE as u64 - 1)?;
        }
        write!(f, " ({content}, not pass {pass})")
    }
}

/// Damage that the guest came across when it wanted to write a page again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Noticed {
    /// How many pages were damaged.
    pub pages: u64,
    /// The pass in which it came across the first; that page should have been of the pass before.
    pub pass: u32,
    /// The address of its first damaged word.
    pub address: u64,
    /// What that word belongs to.
    pub content: Content,
}

impl fmt::Display for Noticed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { pages, pass, address, content } = self;
        let content = match content {
            Content::Foreign { word, .. } => format!("{word:#010x}"),
            other => other.to_string(),
        };
        let (pages, expected) = (counted(*pages), pass.wrapping_sub(1));
        write!(
            f,
            "the guest itself noticed {pages} damaged, first in pass {pass} at {address:#010x} ({content}, not pass {expected})"
        )
    }
}

/// What a page is, as far as its words tell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Content {
    /// Lost: nothing is there.
    Zeros,
    /// Stale, unless it is the right one: what the guest wrote there in this pass.
    Pass(u32),
    /// Misplaced: what belongs to the page at this address.
    Page(u64),
    /// Torn: what the guest wrote there in pass `head`, and from the byte `offset` on, in `tail`.
    Torn {
        /// The pass of the first word.
        head: u32,
        /// The pass of the first word that is different.
        tail: u32,
        /// Where in the page that word is.
        offset: usize,
    },
    /// Lost: there are words that the guest never wrote there.
    Foreign {
        /// The first of them.
        word: u32,
        /// Where in the page it is.
        offset: usize,
    },
}

impl Content {
    /// What `words`, found in the page at `address`, are, if the guest that rewrites `memory` is in `pass`.
    pub(super) fn of(words: &[u32], address: u32, pass: u32, memory: &Range<u64>) -> Self {
        let pass_of = |word: u32| {
            let of = word.wrapping_sub(address).wrapping_mul(STEP_INVERSE);
            // If the status got lost, the memory is some passes ahead of it.
            (1..=pass.saturating_add(1000)).contains(&of).then_some(of)
        };
        let page_of = |word: u32, pass: u32| {
            let page = word.wrapping_sub(pass.wrapping_mul(STEP));
            (memory.contains(&page.into()) && is_page(page)).then_some(Self::Page(page.into()))
        };
        let head = words.first().copied().unwrap_or_default();
        let Some((split, &tail)) = words.iter().enumerate().find(|&(_, &word)| word != head) else {
            return match pass_of(head) {
                _ if head == 0 => Self::Zeros,
                Some(pass) => Self::Pass(pass),
                None => page_of(head, pass)
                    .or_else(|| page_of(head, pass.wrapping_sub(1)))
                    .unwrap_or(Self::Foreign { word: head, offset: 0 }),
            };
        };
        let offset = split * 4;
        match (pass_of(head), pass_of(tail)) {
            (Some(head), Some(tail)) => Self::Torn { head, tail, offset },
            (Some(_), None) => Self::Foreign { word: tail, offset },
            (None, _) => Self::Foreign { word: head, offset: 0 },
        }
    }

    /// Whether this is the content of a page that is as damaged as the one `pages` before it, with the content `first`.
    fn continues(&self, first: &Self, pages: u64) -> bool {
        match (first, self) {
            (Self::Page(first), Self::Page(this)) => first + pages * PAGE as u64 == *this,
            (Self::Foreign { .. }, Self::Foreign { .. }) => true,
            _ => self == first,
        }
    }

    fn is_newer_than(&self, pass: u32) -> bool {
        matches!(self, Self::Pass(this) | Self::Torn { head: this, .. } if *this > pass)
    }
}

impl fmt::Display for Content {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Zeros => f.write_str("zeros"),
            Self::Pass(pass) => write!(f, "pass {pass}"),
            Self::Page(address) => write!(f, "what belongs to {address:#010x}"),
            Self::Torn { head, tail, offset } => {
                write!(f, "pass {head}, and from {offset:#05x} on pass {tail}")
            }
            Self::Foreign { word, offset } => write!(f, "{word:#010x} at {offset:#05x}"),
        }
    }
}

fn counted(pages: u64) -> String {
    if pages == 1 { "1 page".into() } else { format!("{pages} pages") }
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
