//! A blocking client that compresses (RFC 7692), by hand over zlib.

use std::{
    io::{self, Read, Write},
    net::{SocketAddr, TcpStream},
    time::Duration,
};

use zlib_rs::{Deflate, DeflateFlush, Inflate, InflateFlush};

use crate::{
    random::Random,
    wire::{self, FIN, TEXT, put_frame},
};

/// RFC 7692 §6: the bit of a compressed message.
const RSV1: u8 = 0x40;
/// RFC 7692 §7.2.1: what every compressed message ends with, and is sent without.
const TAIL: [u8; 4] = [0x00, 0x00, 0xff, 0xff];
const PATIENCE: Duration = Duration::from_secs(10);

/// Compresses a message with an empty window.
pub(crate) fn deflated(message: &[u8]) -> Vec<u8> {
    Compressor::default().deflate(message)
}

/// A compressor that goes on with the next message.
pub(crate) struct Compressor(Deflate);

impl Default for Compressor {
    fn default() -> Self {
        Self(Deflate::new(6, false, 15))
    }
}

impl Compressor {
    fn deflate(&mut self, message: &[u8]) -> Vec<u8> {
        let before = self.0.total_out();
        let mut out = vec![0; message.len() + message.len() / 8 + 256];
        let status = self.0.compress(message, &mut out, DeflateFlush::SyncFlush);
        out.truncate((self.0.total_out() - before) as usize);
        assert!(status.is_ok() && out.ends_with(&TAIL), "zlib compresses a message at once");
        out.truncate(out.len() - TAIL.len());
        out
    }
}

/// A client with which compression was agreed on.
pub(crate) struct Client {
    pub(crate) stream: TcpStream,
    random: Random,
}

impl Client {
    /// Connects and opens with this offer.
    pub(crate) fn open(address: SocketAddr, offer: &str) -> io::Result<Self> {
        let mut stream = TcpStream::connect_timeout(&address, PATIENCE)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        let fields = wire::REQUEST.trim_end();
        write!(stream, "{fields}\r\nSec-WebSocket-Extensions: {offer}\r\n\r\n")?;
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            stream.read_exact(&mut byte)?;
            head.push(byte[0]);
        }
        let head = String::from_utf8_lossy(&head);
        if head.starts_with("HTTP/1.1 101 ") && head.contains("permessage-deflate") {
            return Ok(Self { stream, random: Random::new(3) });
        }
        Err(io::Error::other(format!("not agreed on: {head:?}")))
    }

    /// Sends a text whose compressed payload is this.
    pub(crate) fn send(&mut self, payload: &[u8]) -> io::Result<()> {
        let mut frame = Vec::new();
        put_frame(&mut frame, &mut self.random, FIN | RSV1 | TEXT, payload);
        self.stream.write_all(&frame)
    }

    /// Returns the next frame: its first byte and its payload.
    pub(crate) fn receive(&mut self) -> io::Result<(u8, Vec<u8>)> {
        let mut header = [0; 2];
        self.stream.read_exact(&mut header)?;
        let len = match header[1] {
            126 => {
                let mut len = [0; 2];
                self.stream.read_exact(&mut len)?;
                u16::from_be_bytes(len).into()
            }
            127 => {
                let mut len = [0; 8];
                self.stream.read_exact(&mut len)?;
                u64::from_be_bytes(len)
            }
            len => len.into(),
        };
        let mut payload = vec![0; usize::try_from(len).map_err(io::Error::other)?];
        self.stream.read_exact(&mut payload)?;
        Ok((header[0], payload))
    }

    /// Has the texts echoed, with takeover in both directions. Returns whether each came back compressed.
    pub(crate) fn exchange(&mut self, texts: &[String]) -> io::Result<bool> {
        let (mut compressor, mut inflate) = (Compressor::default(), Inflate::new(false, 15));
        let mut is_whole = true;
        for text in texts {
            self.send(&compressor.deflate(text.as_bytes()))?;
            let (first, payload) = self.receive()?;
            let (before, mut out) = (inflate.total_out(), vec![0; text.len() + 1]);
            let status =
                inflate.decompress(&[&payload, &TAIL[..]].concat(), &mut out, InflateFlush::SyncFlush);
            out.truncate((inflate.total_out() - before) as usize);
            is_whole &= first == FIN | RSV1 | TEXT && status.is_ok() && out == text.as_bytes();
        }
        Ok(is_whole)
    }
}
