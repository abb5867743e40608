//! The two file formats of captures: packets, each with its time and link layer.
//!
//! This file knows pcapng (blocks in sections, in either byte order) and pcap (a header and packets, in
//! either byte order, in micro- or nanoseconds). It does not know what a packet contains.
//!
//! An incomplete file, as a killed writer leaves, is read up to its end.

use std::time::Duration;

use super::{
    packet::Link,
    write::{
        BYTE_ORDER_MAGIC, ENHANCED_PACKET, INTERFACE_DESCRIPTION, INTERFACE_TIME_RESOLUTION, SECTION_HEADER,
    },
};

/// Blocks that are read, beside those that are written.
const OBSOLETE_PACKET: u32 = 2;
const SIMPLE_PACKET: u32 = 3;

/// Option: seconds to add to all times of an interface.
const INTERFACE_TIME_OFFSET: u16 = 14;
const END_OF_OPTIONS: u16 = 0;

/// pcap: times in microseconds, and in nanoseconds.
const PCAP_MICROSECONDS: u32 = 0xA1B2_C3D4;
const PCAP_NANOSECONDS: u32 = 0xA1B2_3C4D;
const PCAP_HEADER_LEN: usize = 24;
/// pcap: the upper bits of the link layer's number describe check sequences.
const PCAP_LINK: u32 = 0x0FFF_FFFF;

/// How many unknown link layers are listed by number.
const MAX_LISTED_LINKS: usize = 8;

/// One packet as it was captured.
#[derive(Debug)]
pub(super) struct Packet<'a> {
    /// Since the beginning of 1970; 0 if the file has no time for it.
    pub(super) at: Duration,
    pub(super) link: Link,
    pub(super) bytes: &'a [u8],
}

/// Returns whether this is a capture; a few of its first bytes suffice.
pub(in super::super) fn is_capture(bytes: &[u8]) -> bool {
    bytes.starts_with(&SECTION_HEADER.to_le_bytes()) || pcap_format(bytes).is_some()
}

/// Calls `take` with every packet. Returns notes about what was left out.
///
/// # Errors
///
/// The file is no capture.
pub(super) fn for_each_packet<'a>(
    file: &'a [u8],
    take: impl FnMut(Packet<'a>),
) -> Result<Vec<String>, String> {
    let mut walk = Walk { take, unknown_links: Vec::new(), notes: Vec::new() };
    if file.starts_with(&SECTION_HEADER.to_le_bytes()) {
        walk.pcapng(file);
    } else if let Some((order, unit)) = pcap_format(file) {
        walk.pcap(file, order, unit);
    } else {
        return Err("this is neither pcapng nor pcap".to_owned());
    }
    let Walk { unknown_links, mut notes, .. } = walk;
    if !unknown_links.is_empty() {
        let numbers: Vec<_> = unknown_links.iter().map(u32::to_string).collect();
        notes.push(format!("packets of link type {} are left out: it is not known here", numbers.join(", ")));
    }
    Ok(notes)
}

/// The byte order of a file or section.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Order {
    Little,
    Big,
}

impl Order {
    fn u16(self, bytes: &[u8], at: usize) -> Option<u16> {
        let field = *bytes.get(at..)?.first_chunk()?;
        Some(match self {
            Self::Little => u16::from_le_bytes(field),
            Self::Big => u16::from_be_bytes(field),
        })
    }

    fn u32(self, bytes: &[u8], at: usize) -> Option<u32> {
        let field = *bytes.get(at..)?.first_chunk()?;
        Some(match self {
            Self::Little => u32::from_le_bytes(field),
            Self::Big => u32::from_be_bytes(field),
        })
    }

    fn i64(self, bytes: &[u8], at: usize) -> Option<i64> {
        let field = *bytes.get(at..)?.first_chunk()?;
        Some(match self {
            Self::Little => i64::from_le_bytes(field),
            Self::Big => i64::from_be_bytes(field),
        })
    }

    /// Returns the byte order in which the bytes at `at` are `number`.
    fn of(number: u32, bytes: &[u8], at: usize) -> Option<Self> {
        [Self::Little, Self::Big].into_iter().find(|order| order.u32(bytes, at) == Some(number))
    }
}

/// Returns the byte order of a pcap file, and the unit of its fractions of seconds.
fn pcap_format(file: &[u8]) -> Option<(Order, Unit)> {
    let micros = Order::of(PCAP_MICROSECONDS, file, 0).map(|order| (order, Unit::MICROSECOND));
    micros.or_else(|| Order::of(PCAP_NANOSECONDS, file, 0).map(|order| (order, Unit::NANOSECOND)))
}

/// The unit of times: a power of ten or of two, below one second.
#[derive(Clone, Copy, Debug)]
struct Unit {
    /// How many units make a second; `None` if the number exceeds `u64`.
    per_second: Option<u64>,
    /// Seconds to add.
    offset: i64,
}

impl Unit {
    const MICROSECOND: Self = Self { per_second: Some(1_000_000), offset: 0 };
    const NANOSECOND: Self = Self { per_second: Some(1_000_000_000), offset: 0 };

    /// Decodes the option: the first bit selects powers of two or ten, the others are the exponent.
    fn per_second(resolution: u8) -> Option<u64> {
        let exponent = u32::from(resolution & 0x7F);
        let base: u64 = if resolution & 0x80 == 0 { 10 } else { 2 };
        base.checked_pow(exponent)
    }

    fn time(self, count: u64) -> Duration {
        let Some(per_second) = self.per_second else { return Duration::ZERO };
        let nanoseconds = u128::from(count % per_second) * 1_000_000_000 / u128::from(per_second);
        let seconds = (count / per_second).saturating_add_signed(self.offset);
        Duration::new(seconds, nanoseconds as u32)
    }
}

/// An interface of a section.
#[derive(Clone, Copy, Debug)]
struct Interface {
    link: u32,
    /// The longest packet that is kept; 0 is unlimited.
    longest: u32,
    unit: Unit,
}

/// One walk through a file.
struct Walk<F> {
    take: F,
    unknown_links: Vec<u32>,
    notes: Vec<String>,
}

impl<'a, F: FnMut(Packet<'a>)> Walk<F> {
    fn packet(&mut self, at: Duration, link: u32, bytes: &'a [u8]) {
        match Link::from_number(link) {
            Some(link) => (self.take)(Packet { at, link, bytes }),
            None if self.unknown_links.contains(&link) || self.unknown_links.len() == MAX_LISTED_LINKS => {}
            None => self.unknown_links.push(link),
        }
    }

    // --- pcap ----------------------------------------------------------------------------------------------

    fn pcap(&mut self, file: &'a [u8], order: Order, unit: Unit) {
        let Some(link) = order.u32(file, 20) else {
            return self.notes.push("the file ends within its header".to_owned());
        };
        let mut rest = file.get(PCAP_HEADER_LEN..).unwrap_or_default();
        while !rest.is_empty() {
            let Some((at, bytes, after)) = split_pcap_packet(rest, order, unit) else {
                return self.breaks_off(file.len() - rest.len(), "packet");
            };
            self.packet(at, link & PCAP_LINK, bytes);
            rest = after;
        }
    }

    fn breaks_off(&mut self, at: usize, what: &str) {
        self.notes.push(format!("the file breaks off within the {what} at byte {at}"));
    }

    // --- pcapng --------------------------------------------------------------------------------------------

    fn pcapng(&mut self, file: &'a [u8]) {
        let mut order = Order::Little;
        let mut interfaces = Vec::new();
        let mut rest = file;
        while !rest.is_empty() {
            let at = file.len() - rest.len();
            if rest.starts_with(&SECTION_HEADER.to_le_bytes()) {
                let Some(sections) = Order::of(BYTE_ORDER_MAGIC, rest, 8) else {
                    return self.breaks_off(at, "section header");
                };
                order = sections;
                interfaces.clear();
            }
            let Some((kind, body, after)) = split_block(rest, order) else {
                return self.breaks_off(at, "block");
            };
            if self.block(kind, body, order, &mut interfaces).is_none() {
                self.notes.push(format!("the block at byte {at} is left out: it makes no sense"));
                // One note suffices: a writer of one such block writes more.
                return;
            }
            rest = after;
        }
    }

    /// Processes one block; returns `None` if it is malformed.
    fn block(
        &mut self,
        kind: u32,
        body: &'a [u8],
        order: Order,
        interfaces: &mut Vec<Interface>,
    ) -> Option<()> {
        match kind {
            INTERFACE_DESCRIPTION => interfaces.push(interface(body, order)?),
            ENHANCED_PACKET => {
                let interface = interfaces.get(order.u32(body, 0)? as usize)?;
                self.timed_packet(body, order, *interface)?;
            }
            OBSOLETE_PACKET => {
                let interface = interfaces.get(usize::from(order.u16(body, 0)?))?;
                self.timed_packet(body, order, *interface)?;
            }
            SIMPLE_PACKET => {
                let interface = interfaces.first()?;
                let len = order.u32(body, 0)?;
                let kept = if interface.longest == 0 { len } else { len.min(interface.longest) };
                let bytes = body.get(4..)?;
                self.packet(Duration::ZERO, interface.link, bytes.get(..kept as usize)?);
            }
            // Names, statistics, and unknown blocks.
            _ => {}
        }
        Some(())
    }

    /// Returns the part that both kinds of packet blocks with a time share.
    fn timed_packet(&mut self, body: &'a [u8], order: Order, interface: Interface) -> Option<()> {
        let (high, low) = (order.u32(body, 4)?, order.u32(body, 8)?);
        let len = order.u32(body, 12)? as usize;
        let bytes = body.get(20..)?.get(..len)?;
        let count = u64::from(high) << 32 | u64::from(low);
        self.packet(interface.unit.time(count), interface.link, bytes);
        Some(())
    }
}

/// Returns the first packet of `rest` with its time, and the bytes after it.
fn split_pcap_packet(rest: &[u8], order: Order, unit: Unit) -> Option<(Duration, &[u8], &[u8])> {
    let (seconds, fraction) = (order.u32(rest, 0)?, order.u32(rest, 4)?);
    let len = order.u32(rest, 8)? as usize;
    let (bytes, after) = rest.get(16..)?.split_at_checked(len)?;
    let at = Duration::from_secs(seconds.into()) + unit.time(fraction.into());
    Some((at, bytes, after))
}

/// Returns the type and the body of the first block of `rest`, and the bytes after it.
fn split_block(rest: &[u8], order: Order) -> Option<(u32, &[u8], &[u8])> {
    let len = order.u32(rest, 4)? as usize;
    let (block, after) = rest.split_at_checked(len)?;
    let body = block.get(8..len.checked_sub(4)?)?;
    Some((order.u32(block, 0)?, body, after))
}

fn interface(body: &[u8], order: Order) -> Option<Interface> {
    let link = order.u16(body, 0)?.into();
    let longest = order.u32(body, 4)?;
    let mut interface = Interface { link, longest, unit: Unit::MICROSECOND };
    let mut options = body.get(8..)?;
    while let Some((code, value, after)) = split_option(options, order) {
        match code {
            END_OF_OPTIONS => break,
            INTERFACE_TIME_RESOLUTION => interface.unit.per_second = Unit::per_second(*value.first()?),
            INTERFACE_TIME_OFFSET => interface.unit.offset = order.i64(value, 0)?,
            _ => {}
        }
        options = after;
    }
    Some(interface)
}

/// Returns the code and the value of the first option, and the bytes after it.
fn split_option(options: &[u8], order: Order) -> Option<(u16, &[u8], &[u8])> {
    let len = usize::from(order.u16(options, 2)?);
    let value = options.get(4..)?.get(..len)?;
    // The padding of the last option may be missing.
    let after = options.get(4 + len.next_multiple_of(4)..).unwrap_or_default();
    Some((order.u16(options, 0)?, value, after))
}
