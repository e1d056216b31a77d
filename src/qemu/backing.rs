//! Where in a QEMU process the guest's memory is: its RAM blocks found among the mappings of the process.
//!
//! Pure: the texts of `info ramblock` and `/proc/PID/maps` in, places out.

use std::ops::Range;

/// A RAM block as `info ramblock` lists it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Block {
    /// `pc.ram`, or the id or path of a memory backend.
    pub name: String,
    /// Bytes.
    pub size: u64,
    /// Where it begins in the process. QEMU says so since 8.2.
    pub address: Option<u64>,
    /// Whether it is shared, if the caller knows: `info ramblock` does not say.
    pub share: Option<bool>,
}

impl Block {
    /// Whether it is the memory of the backend with this id.
    #[must_use]
    pub fn is_of(&self, id: &str) -> bool {
        is_of(&self.name, id)
    }
}

/// Whether a block of this name is the memory of the backend with this id.
#[must_use]
pub fn is_of(block: &str, id: &str) -> bool {
    // The block of a PCI device has its address before the name: `0000:00:01.0/m` of an `ivshmem-plain`.
    let of_device = block.split_once('/').filter(|(device, _)| !device.is_empty());
    let name = of_device.map_or(block, |(_, name)| name);
    // A path in place of the id: `x-use-canonical-path-for-ramblock-id`.
    name == id || name.strip_prefix("/objects/") == Some(id)
}

/// The RAM blocks, in QEMU's order.
#[must_use]
pub fn blocks(info_ramblock: &str) -> Vec<Block> {
    let number = |word: &str| u64::from_str_radix(word.strip_prefix("0x")?, 16).ok();
    let block = |line: &str| {
        // Before the first number: the name, which may hold spaces, and the page size in two words.
        let (front, numbers) = line.split_at(line.find(" 0x")?);
        let (front, _unit) = front.trim().rsplit_once(' ')?;
        let (name, _size) = front.rsplit_once(' ')?;
        let name = name.trim().to_owned();
        let mut numbers = numbers.split_whitespace().map(number);
        let size = numbers.nth(1)??;
        Some(Block { name, size, address: numbers.nth(1).flatten(), share: None })
    };
    info_ramblock.lines().filter_map(block).collect()
}

/// A mapping of a process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mapping {
    /// Its addresses.
    pub range: Range<u64>,
    /// Such as `rw-s`.
    pub mode: String,
    /// The file's offset at the start of the mapping.
    pub offset: u64,
    /// The file's device, as `fe:00`.
    pub device: String,
    /// The file's inode; 0 for memory without a file.
    pub inode: u64,
}

impl Mapping {
    /// Whether others that map the same file see what is written here.
    #[must_use]
    pub fn is_shared(&self) -> bool {
        self.mode.ends_with('s')
    }

    fn size(&self) -> u64 {
        self.range.end - self.range.start
    }
}

/// The mappings of `/proc/PID/maps`.
#[must_use]
pub fn mappings(maps: &str) -> Vec<Mapping> {
    let mapping = |line: &str| {
        let mut words = line.split_whitespace();
        let (start, end) = words.next()?.split_once('-')?;
        let number = |word| u64::from_str_radix(word, 16).ok();
        let (start, end) = (number(start)?, number(end)?);
        (start < end).then_some(())?;
        Some(Mapping {
            range: start..end,
            mode: words.next()?.to_owned(),
            offset: number(words.next()?)?,
            device: words.next()?.to_owned(),
            inode: words.next()?.parse().ok()?,
        })
    };
    maps.lines().filter_map(mapping).collect()
}

/// Where a block is: its part of a mapping.
///
/// # Errors
/// Why that is not certain.
pub fn locate(block: &Block, blocks: &[Block], mappings: &[Mapping]) -> Result<Mapping, String> {
    let such =
        |it: &&Mapping| it.mode.starts_with("rw") && block.share.is_none_or(|share| share == it.is_shared());
    let writable: Vec<&Mapping> = mappings.iter().filter(such).collect();
    if let Some(start) = block.address {
        let end = start.saturating_add(block.size);
        let around = writable.iter().find(|it| it.range.start <= start && end <= it.range.end);
        let around =
            around.ok_or_else(|| format!("the memory of `{}` is not where QEMU says", block.name))?;
        let offset = around.offset + (start - around.range.start);
        return Ok(Mapping { range: start..end, offset, ..(*around).clone() });
    }
    // Without an address, by its size. The kernel may have joined it with a neighbour below; above, QEMU
    // leaves a page that nobody may touch.
    let guarded = |it: &Mapping| {
        mappings.iter().any(|next| next.range.start == it.range.end && next.mode.starts_with("---"))
    };
    let exact: Vec<&Mapping> = writable.iter().copied().filter(|it| it.size() == block.size).collect();
    let joined = || {
        let joined =
            writable.iter().copied().filter(|it| it.size() > block.size && it.inode == 0 && guarded(it));
        joined.collect::<Vec<_>>()
    };
    let mut found = if exact.is_empty() { joined() } else { exact };
    let alike: Vec<&Block> =
        blocks.iter().filter(|other| (other.size, other.share) == (block.size, block.share)).collect();
    let at = alike.iter().position(|other| *other == block).unwrap_or_default();
    match found.len() {
        0 => return Err(format!("the memory of `{}` is nowhere to be seen", block.name)),
        1 if alike.len() == 1 => {}
        // Which is which makes no difference to a reader of private memory, and all the difference to a writer.
        found_ones if found_ones == alike.len() && found.iter().all(|it| !it.is_shared()) => {
            // The system hands out addresses from above.
            found.sort_by_key(|it| std::cmp::Reverse(it.range.start));
        }
        _ => return Err(format!("which memory is that of `{}` is not certain", block.name)),
    }
    let found = found.get(at).ok_or_else(|| format!("the memory of `{}` is not certain", block.name))?;
    Ok(Mapping { range: found.range.end - block.size..found.range.end, ..(*found).clone() })
}

#[cfg(test)]
mod tests {
    use super::*;

    const OLD: &str =
        "              Block Name    PSize              Offset               Used              Total
                  pc.ram    4 KiB  0x0000000000000000 0x0000000010000000 0x0000000010000000
    /rom@etc/acpi/tables    4 KiB  0x0000000010080000 0x0000000000020000 0x0000000000200000
";
    const NEW: &str = "              Block Name    PSize              Offset               Used              Total                HVA  RO
             /objects/r0    2 MiB  0x0000000000000000 0x0000000008000000 0x0000000008000000 0x00007f2907e00000  rw
                      r1    4 KiB  0x0000000008000000 0x0000000008000000 0x0000000008000000 0x00007f28ffc00000  rw
";
    const MAPS: &str = "7f28ffc00000-7f2907c00000 rw-p 00000000 00:00 0 
7f2907c00000-7f2907c01000 ---p 00000000 00:00 0 
7f2907e00000-7f290fe00000 rw-p 00000000 00:00 0 
7f290fe00000-7f290fe01000 ---p 00000000 00:00 0 
7f9287a00000-7f9297e00000 rw-p 00000000 00:00 0 
7f9297e00000-7f9297e01000 ---p 00000000 00:00 0 
7fdb3ffff000-7fdb4ffff000 rw-s 00001000 00:01 13299                      /memfd:memory-backend-memfd (deleted)
ffffffffff600000-ffffffffff601000 --xp 00000000 00:00 0                  [vsyscall]
";

    fn block(name: &str, size: u64, address: Option<u64>) -> Block {
        Block { name: name.to_owned(), size, address, share: None }
    }

    #[test]
    fn blocks_have_addresses_since_8_2() {
        assert_eq!(blocks(OLD)[0], block("pc.ram", 256 << 20, None));
        assert_eq!(blocks(OLD)[1], block("/rom@etc/acpi/tables", 0x20000, None));
        assert_eq!(blocks(NEW)[0], block("/objects/r0", 128 << 20, Some(0x7f29_07e0_0000)));
        assert_eq!(blocks("nothing\n0x 0x\n 0x1"), []);
    }

    #[test]
    fn a_backend_is_its_id_or_its_path() {
        let blocks = blocks(NEW);
        assert!(blocks[0].is_of("r0") && blocks[1].is_of("r1") && !blocks[0].is_of("r1"));
        let of = |name: &str, id: &str| block(name, 1, None).is_of(id);
        assert!(of("0000:00:01.0/iv", "iv") && of("0000:00:01.0//objects/iv", "iv"));
        assert!(!of("/rom@etc/acpi/tables", "tables") && !of("/rom@etc/acpi/tables", "acpi/tables"));
    }

    #[test]
    fn an_address_is_enough() {
        let (blocks, maps) = (blocks(NEW), mappings(MAPS));
        assert_eq!(locate(&blocks[1], &blocks, &maps).unwrap().range, 0x7f28_ffc0_0000..0x7f29_07c0_0000);
        let elsewhere = block("r2", 1 << 20, Some(0x1000));
        assert_eq!(
            locate(&elsewhere, &blocks, &maps),
            Err("the memory of `r2` is not where QEMU says".to_owned())
        );
    }

    #[test]
    fn an_address_within_a_file_has_its_offset() {
        let inner = block("m", 4096, Some(0x7fdb_4000_1000));
        let found = locate(&inner, &[], &mappings(MAPS)).unwrap();
        assert_eq!((found.offset, found.inode, found.is_shared()), (0x3000, 13299, true));
    }

    #[test]
    fn without_an_address_the_size_tells() {
        let maps = mappings(MAPS);
        let [low, high] = [0x7f28_ffc0_0000, 0x7f29_07e0_0000];
        let two = [block("a", 128 << 20, None), block("b", 128 << 20, None)];
        assert_eq!(locate(&two[0], &two, &maps).unwrap().range.start, high);
        assert_eq!(locate(&two[1], &two, &maps).unwrap().range.start, low);
        let one = [block("a", 128 << 20, None)];
        assert_eq!(
            locate(&one[0], &one, &maps),
            Err("which memory is that of `a` is not certain".to_owned())
        );
        let file = [block("f", 256 << 20, None)];
        assert_eq!(locate(&file[0], &file, &maps).unwrap().inode, 13299);
    }

    #[test]
    fn of_two_that_are_equally_large_one_may_be_shared() {
        let maps = mappings(MAPS);
        let of = |name: &str, share: bool| Block { share: Some(share), ..block(name, 256 << 20, None) };
        let two = [of("a", true), of("b", false)];
        assert_eq!(locate(&two[0], &two, &maps).unwrap().inode, 13299);
        assert_eq!(locate(&two[1], &two, &maps).unwrap().inode, 0);
        let both = [of("a", true), of("b", true)];
        assert!(locate(&both[0], &both, &maps).is_err());
    }

    #[test]
    fn a_mapping_may_have_been_joined_with_the_one_below() {
        let maps: Vec<Mapping> = mappings(MAPS).into_iter().filter(|it| it.inode == 0).collect();
        let one = [block("a", 256 << 20, None)];
        let found = locate(&one[0], &one, &maps).unwrap();
        assert_eq!(found.range, 0x7f92_87e0_0000..0x7f92_97e0_0000);
        let none = [block("a", 1 << 40, None)];
        assert_eq!(locate(&none[0], &none, &maps), Err("the memory of `a` is nowhere to be seen".to_owned()));
    }

    #[test]
    fn lines_that_are_no_mappings_are_left_out() {
        assert_eq!(mappings("\n-\n1-2\nzz-1 rw-p 0 0 0\n2-1 rw-p 0 0:0 0\n"), []);
    }
}
