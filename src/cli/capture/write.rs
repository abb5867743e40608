//! Writes the pieces of a conversation to a pcapng file.
//!
//! This file knows the blocks of pcapng, and how TCP would carry the pieces: a handshake, segments with
//! growing sequence numbers, and an end. It does not know where the bytes come from and when a file is
//! written.
//!
//! The packets are invented: a program sees what TCP delivers, not how. The bytes, their order between both
//! sides, their times and both addresses are true. The cuts into packets, the acknowledgements, and the order
//! of the ends are invented.

use std::{
    io::{self, Write},
    net::SocketAddr,
    time::Duration,
};

use wirehook::explain::Side;

use super::packet::{ACK, FIN, Link, MAX_PAYLOAD, PSH, SYN, Segment};

/// The types of the blocks that are written.
pub(super) const SECTION_HEADER: u32 = 0x0A0D_0D0A;
pub(super) const INTERFACE_DESCRIPTION: u32 = 1;
pub(super) const ENHANCED_PACKET: u32 = 6;

/// The magic number of a section, in the byte order of its writer.
pub(super) const BYTE_ORDER_MAGIC: u32 = 0x1A2B_3C4D;

/// The written options, by block.
const END_OF_OPTIONS: u16 = 0;
const SECTION_APPLICATION: u16 = 4;
pub(super) const INTERFACE_TIME_RESOLUTION: u16 = 9;

/// The unit of times is 10^-9 s.
const NANOSECONDS: u8 = 9;
/// The sequence number of both SYNs. Programs that show captures count from it anyway.
const INITIAL_SEQUENCE: u32 = 0;

/// Writes one connection, from its first packet to its last.
#[derive(Debug)]
pub(in super::super) struct Writer {
    client: SocketAddr,
    server: SocketAddr,
    /// The next sequence number of each side.
    client_sequence: u32,
    server_sequence: u32,
}

impl Writer {
    /// Begins a file with one connection. All times count from the beginning of 1970.
    ///
    /// # Errors
    ///
    /// Those of `out`, for all methods.
    pub(in super::super) fn begin(
        client: SocketAddr,
        server: SocketAddr,
        at: Duration,
        out: &mut impl Write,
    ) -> io::Result<Self> {
        let mut writer =
            Self { client, server, client_sequence: INITIAL_SEQUENCE, server_sequence: INITIAL_SEQUENCE };
        let mut blocks = Vec::new();
        append_section_header(&mut blocks);
        append_interface(&mut blocks);
        writer.append(at, Side::Client, SYN, &[], &mut blocks);
        writer.append(at, Side::Server, SYN | ACK, &[], &mut blocks);
        writer.append(at, Side::Client, ACK, &[], &mut blocks);
        out.write_all(&blocks)?;
        Ok(writer)
    }

    /// Writes bytes of one side.
    pub(in super::super) fn write(
        &mut self,
        at: Duration,
        from: Side,
        bytes: &[u8],
        out: &mut impl Write,
    ) -> io::Result<()> {
        let mut block = Vec::new();
        for payload in bytes.chunks(MAX_PAYLOAD) {
            block.clear();
            self.append(at, from, PSH | ACK, payload, &mut block);
            out.write_all(&block)?;
        }
        Ok(())
    }

    /// Writes the end of the connection. The server closes first (§7.1.1).
    pub(in super::super) fn end(&mut self, at: Duration, out: &mut impl Write) -> io::Result<()> {
        let mut blocks = Vec::new();
        self.append(at, Side::Server, FIN | ACK, &[], &mut blocks);
        self.append(at, Side::Client, FIN | ACK, &[], &mut blocks);
        self.append(at, Side::Server, ACK, &[], &mut blocks);
        out.write_all(&blocks)
    }

    /// Appends one segment, and advances its sender's sequence number.
    fn append(&mut self, at: Duration, from: Side, flags: u8, payload: &[u8], out: &mut Vec<u8>) {
        let (own, others, ends) = match from {
            Side::Client => (&mut self.client_sequence, self.server_sequence, (self.client, self.server)),
            Side::Server => (&mut self.server_sequence, self.client_sequence, (self.server, self.client)),
        };
        let acknowledgement = if flags & ACK != 0 { others } else { 0 };
        let segment = Segment { from: ends.0, to: ends.1, sequence: *own, acknowledgement, flags, payload };
        // RFC 9293 §3.4: SYN and FIN take one number each.
        let numbers = payload.len() as u32 + u32::from(flags & (SYN | FIN) != 0);
        *own = own.wrapping_add(numbers);
        append_packet(at, &segment, out);
    }
}

/// Appends the section header: the writer, and its byte order.
fn append_section_header(out: &mut Vec<u8>) {
    /// The length of a section that grows.
    const UNKNOWN_LEN: i64 = -1;

    append_block(SECTION_HEADER, out, |body| {
        body.extend_from_slice(&BYTE_ORDER_MAGIC.to_le_bytes());
        // Version 1.0.
        body.extend_from_slice(&1_u16.to_le_bytes());
        body.extend_from_slice(&0_u16.to_le_bytes());
        body.extend_from_slice(&UNKNOWN_LEN.to_le_bytes());
        append_option(SECTION_APPLICATION, concat!("wirehook ", env!("CARGO_PKG_VERSION")).as_bytes(), body);
        append_option(END_OF_OPTIONS, &[], body);
    });
}

/// Appends the only interface: packets begin with IP, times are in nanoseconds.
fn append_interface(out: &mut Vec<u8>) {
    append_block(INTERFACE_DESCRIPTION, out, |body| {
        body.extend_from_slice(&Link::IP_NUMBER.to_le_bytes());
        body.extend_from_slice(&[0; 2]);
        // No packet is cut.
        body.extend_from_slice(&0_u32.to_le_bytes());
        append_option(INTERFACE_TIME_RESOLUTION, &[NANOSECONDS], body);
        append_option(END_OF_OPTIONS, &[], body);
    });
}

fn append_packet(at: Duration, segment: &Segment<'_>, out: &mut Vec<u8>) {
    append_block(ENHANCED_PACKET, out, |body| {
        let nanoseconds = at.as_nanos() as u64;
        let mut packet = Vec::new();
        segment.encode(&mut packet);
        // The first interface.
        body.extend_from_slice(&0_u32.to_le_bytes());
        body.extend_from_slice(&((nanoseconds >> 32) as u32).to_le_bytes());
        body.extend_from_slice(&(nanoseconds as u32).to_le_bytes());
        // The captured length, and the original one.
        body.extend_from_slice(&(packet.len() as u32).to_le_bytes());
        body.extend_from_slice(&(packet.len() as u32).to_le_bytes());
        body.extend_from_slice(&packet);
    });
}

/// Appends a block: its type, its length, a body padded to 32 bits, and its length again.
fn append_block(kind: u32, out: &mut Vec<u8>, fill: impl FnOnce(&mut Vec<u8>)) {
    let mut body = Vec::new();
    fill(&mut body);
    pad(&mut body);
    let len = (body.len() + 12) as u32;
    out.extend_from_slice(&kind.to_le_bytes());
    out.extend_from_slice(&len.to_le_bytes());
    out.extend_from_slice(&body);
    out.extend_from_slice(&len.to_le_bytes());
}

/// Appends an option: its code, its length without padding, its value padded to 32 bits.
fn append_option(code: u16, value: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(&code.to_le_bytes());
    out.extend_from_slice(&(value.len() as u16).to_le_bytes());
    out.extend_from_slice(value);
    pad(out);
}

fn pad(bytes: &mut Vec<u8>) {
    bytes.resize(bytes.len().next_multiple_of(4), 0);
}
