//! Pieces of a conversation become a pcapng file.
//!
//! This file knows the blocks of pcapng, and how TCP would have carried the pieces: a handshake, segments with
//! growing sequence numbers, an end. It refuses to know where the bytes come from and when anything is stored.
//!
//! The packets are made up: a program sees what TCP delivers, not how. True are the bytes, their order between both
//! sides, their times and both addresses. Made up are the cuts into packets, the acknowledgements, and who closed first.

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

/// What a section begins with, in the byte order of its writer.
pub(super) const BYTE_ORDER_MAGIC: u32 = 0x1A2B_3C4D;

/// The options that are used, by the block that they stand in.
const END_OF_OPTIONS: u16 = 0;
const SECTION_APPLICATION: u16 = 4;
pub(super) const INTERFACE_TIME_RESOLUTION: u16 = 9;

/// Times are counted in units of 10^-9 s.
const NANOSECONDS: u8 = 9;
/// The sequence number of both SYNs. Programs that show captures count from it anyway.
const INITIAL_SEQUENCE: u32 = 0;

/// Writes one connection, from its first packet to its last.
#[derive(Debug)]
pub(in super::super) struct Writer {
    client: SocketAddr,
    server: SocketAddr,
    /// The sequence number of what each side says next.
    client_sequence: u32,
    server_sequence: u32,
}

impl Writer {
    /// Begins a file, and a connection in it. `at` is counted from the beginning of 1970, here and below.
    ///
    /// # Errors
    ///
    /// Those of `out`, here and below.
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

    /// Writes what one side has said.
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

    /// Writes the end. The server's comes first, as §7.1.1 has it.
    pub(in super::super) fn end(&mut self, at: Duration, out: &mut impl Write) -> io::Result<()> {
        let mut blocks = Vec::new();
        self.append(at, Side::Server, FIN | ACK, &[], &mut blocks);
        self.append(at, Side::Client, FIN | ACK, &[], &mut blocks);
        self.append(at, Side::Server, ACK, &[], &mut blocks);
        out.write_all(&blocks)
    }

    /// Appends one segment, and moves its sender's sequence number behind it.
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

/// Who wrote this, in a byte order that the reader can see.
fn append_section_header(out: &mut Vec<u8>) {
    /// What is not known of a section that grows.
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

/// The one interface: packets begin with IP, times are in nanoseconds.
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
        // As it was captured, and as it was.
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
