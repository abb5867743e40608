//! Invariant: compressed messages come out the same however they are cut, with a lent decompressor or with a
//! new one; each is what zlib makes of it in one piece; none is over the limit.

use wirehook::protocol::{
    DeflateConfig, DeflateParams, Event, ExtensionOffer, Inflater, Message, ProtocolError, Receiver,
};
use zlib_rs::{Inflate, InflateFlush};

use super::{MESSAGE_LIMITS, cut, messages_up_to, plan::Plan};

/// A message, or the error that ends the connection.
type Seen = Vec<Result<Vec<u8>, ProtocolError>>;

/// How the frames are cut, whether a context is taken over, then payloads of up to 125 bytes, each after its
/// length.
pub fn body(input: &[u8]) {
    let mut plan = Plan(input);
    let lengths = cut::read(&mut plan);
    let no_context = plan.byte() & 1 == 1;
    let mut payloads = Vec::new();
    while !plan.is_over() {
        let len = usize::from(plan.byte() % 126);
        payloads.push(plan.bytes(len));
    }
    for limit in MESSAGE_LIMITS {
        let frames: Vec<u8> =
            payloads.iter().flat_map(|it| [&[0xC2, it.len() as u8][..], it].concat()).collect();
        let params = params(no_context);
        let whole = receive(&frames, &[frames.len()], limit, &params, true);
        let ends = cut::ends(frames.len(), &lengths);
        assert_eq!(receive(&frames, &ends, limit, &params, true), whole, "cut at {ends:?}");
        assert_eq!(receive(&frames, &ends, limit, &params, false), whole, "with new decompressors");
        check_by_zlib(&payloads, &whole, limit, no_context);
    }
}

fn params(no_context: bool) -> DeflateParams {
    let offer = ExtensionOffer { name: "permessage-deflate", params: Vec::new() };
    let config = DeflateConfig { server_no_context_takeover: no_context, ..DeflateConfig::default() };
    config.accept(&[offer]).expect("a plain offer is accepted").params()
}

fn receive(frames: &[u8], ends: &[usize], limit: usize, params: &DeflateParams, is_lent: bool) -> Seen {
    let mut inflater = Inflater::default();
    let mut receiver = Receiver::client(&messages_up_to(limit));
    receiver.use_deflate(params);
    let mut seen = Seen::new();
    let (mut frames, mut start) = (frames.to_vec(), 0);
    for &end in ends {
        let mut input = &mut frames[start..end];
        loop {
            let event = if is_lent {
                receiver.next_event_with(&mut input, &mut inflater)
            } else {
                receiver.next_event(&mut input)
            };
            match event {
                Ok(None) => break,
                Ok(Some(Event::Message(Message::Binary(bytes)))) => {
                    assert!(bytes.len() <= limit);
                    seen.push(Ok(bytes.to_vec()));
                }
                Ok(Some(other)) => panic!("{other:?} was never sent"),
                Err(error) => seen.push(Err(error)),
            }
        }
        start = end;
    }
    seen
}

/// Inflates the messages one after the other in one stream. Where a block has BFINAL that stream has ended,
/// and the twin knows no more.
fn check_by_zlib(payloads: &[&[u8]], seen: &Seen, limit: usize, no_context: bool) {
    let mut zlib = Inflate::new(false, 15);
    for (payload, seen) in payloads.iter().zip(seen) {
        let compressed = [*payload, b"\x00\x00\xff\xff"].concat();
        let mut out = vec![0; limit + 1];
        let before = (zlib.total_in(), zlib.total_out());
        let status = zlib.decompress(&compressed, &mut out, InflateFlush::SyncFlush);
        let (taken, len) = (zlib.total_in() - before.0, (zlib.total_out() - before.1) as usize);
        match (status, seen) {
            (Ok(zlib_rs::Status::StreamEnd), _) => return,
            // A message that is cut off inside a block goes on into the bytes that end its stream. A
            // payload of many empty blocks is refused by its length alone.
            (_, Err(ProtocolError::MessageTooBig)) => {
                let _ = zlib.decompress(b"\x01\x00\x00\xff\xff", &mut out, InflateFlush::SyncFlush);
                let len = (zlib.total_out() - before.1) as usize;
                return assert!(len > limit || payload.len() > limit + limit / 128 + 64);
            }
            // Zlib awaits more where the message is cut off.
            (Ok(_), Err(error)) => return assert_eq!(*error, ProtocolError::NotDeflate),
            (Err(_), seen) => return assert_eq!(*seen, Err(ProtocolError::NotDeflate)),
            (Ok(_), Ok(message)) => {
                assert_eq!(taken as usize, compressed.len());
                assert_eq!(out[..len], message[..]);
            }
        }
        if no_context {
            zlib.reset(false);
        }
    }
}
