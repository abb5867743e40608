//! Compares the figures with the events: at the end of every scenario, and at the metrics listener.
//!
//! The events are known from three other places: the streams, the hooks, and the bytes of an observer.

use std::collections::BTreeMap;

use super::{ClientQueue, Record, Traffic};
use crate::{Cause, CloseCode, transport::Script};

/// The decoded output of the server for one client.
#[derive(Default)]
pub(crate) struct ClientOutput {
    /// The received part of the head, or of the frame's header.
    partial: Vec<u8>,
    /// The number of payload bytes of the frame that are still to come.
    payload: u64,
    status: Option<u16>,
    /// It goes to a server: the head is a request, and frames are masked.
    is_of_client: bool,
    /// How many data messages have begun.
    messages: u64,
    /// How many of them are compressed (RFC 7692 §6).
    compressed: u64,
    /// Whether the head agrees on compression.
    compresses: bool,
    is_closed: bool,
    /// Whether bytes arrived after a Close (§5.5.1).
    has_more_after_close: bool,
}

impl ClientOutput {
    /// Returns the output for a server that the loop has connected to.
    pub(crate) fn of_client() -> Self {
        Self { is_of_client: true, ..Self::default() }
    }

    pub(crate) fn add(&mut self, mut bytes: &[u8]) {
        while let Some((first, rest)) = bytes.split_first() {
            if self.payload > 0 {
                let len = bytes.len().min(usize::try_from(self.payload).unwrap());
                self.payload -= len as u64;
                bytes = &bytes[len..];
                continue;
            }
            self.partial.push(*first);
            bytes = rest;
            match self.status {
                None => self.take_head(),
                Some(101) => self.take_header(),
                Some(_) => self.partial.clear(),
            }
        }
    }

    fn take_head(&mut self) {
        if self.partial.ends_with(b"\r\n\r\n") && self.is_of_client {
            // Frames follow the request only if the answer is a 101.
            self.status = Some(101);
            self.partial.clear();
        } else if self.partial.ends_with(b"\r\n\r\n") {
            let status = std::str::from_utf8(&self.partial[9..12]).unwrap();
            self.status = Some(status.parse().unwrap());
            self.compresses = self.partial.windows(18).any(|it| it == b"permessage-deflate");
            self.partial.clear();
        }
    }

    fn take_header(&mut self) {
        self.has_more_after_close |= self.is_closed;
        let Some(len) = payload_len(&self.partial) else { return };
        match self.partial[0] & 0x0F {
            1 | 2 => {
                self.messages += 1;
                self.compressed += u64::from(self.partial[0] & 0x40 != 0);
            }
            8 => self.is_closed = true,
            _ => {}
        }
        (self.payload, self.partial) = (len, Vec::new());
    }
}

/// Returns the payload length of a header, once the header is complete.
fn payload_len(header: &[u8]) -> Option<u64> {
    let second = *header.get(1)?;
    let key = if second & 0x80 == 0 { 0 } else { 4 };
    match (second & 0x7F, header.len().checked_sub(key)?) {
        (len @ 0..126, 2) => Some(len.into()),
        (126, 4) => Some(u16::from_be_bytes(header[2..4].try_into().unwrap()).into()),
        (127, 10) => Some(u64::from_be_bytes(header[2..10].try_into().unwrap())),
        _ => None,
    }
}

/// Returns the figures of a page, by name and label.
fn figures(page: &str) -> BTreeMap<&str, f64> {
    let lines = page.lines().filter(|line| line.starts_with("wirehook_"));
    lines
        .map(|line| line.rsplit_once(' ').map(|(name, value)| (name, value.parse().unwrap())).unwrap())
        .collect()
}

/// Returns the figures with a label, by the label's value.
fn by_label<'a>(figures: &BTreeMap<&'a str, f64>, name: &str) -> BTreeMap<&'a str, f64> {
    let labelled = figures.iter().filter(|(key, _)| key.split('{').next() == Some(name));
    labelled
        .map(|(key, value)| (key.split('"').nth(1).unwrap(), *value))
        .filter(|(_, value)| *value > 0.0)
        .collect()
}

const fn label(cause: Cause) -> &'static str {
    Cause::NAMES[cause.index()]
}

/// Returns how often each item occurs.
fn count<T: Ord>(items: impl Iterator<Item = T>) -> BTreeMap<T, f64> {
    let mut counts = BTreeMap::new();
    items.for_each(|item| *counts.entry(item).or_default() += 1.0);
    counts
}

fn borrowed(counts: &BTreeMap<String, f64>) -> BTreeMap<&str, f64> {
    counts.iter().map(|(key, value)| (key.as_str(), *value)).collect()
}

fn status_label(status: u16) -> String {
    let is_told_apart = [101, 400, 401, 403, 404, 405, 408, 426, 429, 431, 500, 503].contains(&status);
    if is_told_apart { status.to_string() } else { "other".to_owned() }
}

fn code_label(code: CloseCode) -> String {
    let is_told_apart = matches!(code.0, 1000..=1014 | 3000) && code.0 != 1004;
    if is_told_apart { code.0.to_string() } else { "other".to_owned() }
}

/// Compares the figures, once all clients have left, with what was done.
#[track_caller]
pub(crate) fn check(
    page: &str,
    clients: &ClientQueue,
    scrapers: &ClientQueue,
    servers: &[Script],
    record: &Record,
    traffic: &Traffic,
) {
    let figures = figures(page);
    let figure = |name: &str| figures[format!("wirehook_{name}").as_str()];
    let (accepted, scrapers) = (clients.accepted.borrow(), scrapers.accepted.borrow());
    let sum = |scripts: &[Script], len: fn(&Script) -> u64| scripts.iter().map(len).sum::<u64>();
    let both = |len| sum(&accepted, len) + sum(servers, len);
    let (read, written) = (both(Script::read_len), both(Script::written_len));
    assert_eq!((traffic.received, traffic.sent), (read, written), "the observer has seen all bytes");
    let (scraped, shown) = (sum(&scrapers, Script::read_len), sum(&scrapers, Script::written_len));
    assert_eq!(figure("received_bytes_total"), (read + scraped) as f64);
    assert_eq!(figure("sent_bytes_total"), (written + shown) as f64);

    // Connections: accepted, opened and closed, by cause.
    let (opened, closed) = (record.opened.borrow(), record.closed.borrow());
    assert_eq!(opened.len(), closed.len(), "one on_close for each on_open");
    assert_eq!((figure("connections"), figure("accepted_total")), (0.0, accepted.len() as f64));
    assert_eq!((figure("opened_total"), figure("closed_total")), (opened.len() as f64, closed.len() as f64));
    let codes = count(closed.iter().map(|(_, code, ..)| code_label(*code)));
    assert_eq!(by_label(&figures, "wirehook_closes_total"), borrowed(&codes));
    let causes = count(closed.iter().map(|(_, _, cause, _)| label(*cause)));
    assert_eq!(by_label(&figures, "wirehook_closes_by_cause_total"), causes);
    assert!(figure("shed_total") >= causes.get("overload").copied().unwrap_or_default());

    // Answers, as clients have seen them. The server counts an answer when it makes it, whether or not the
    // socket takes it.
    let answers = by_label(&figures, "wirehook_handshakes_total");
    let to_clients = traffic.outputs.values().filter(|it| !it.is_of_client);
    let seen = count(to_clients.filter_map(|it| it.status).map(status_label));
    let answered: f64 = answers.values().sum();
    assert!(
        seen.iter().all(|(status, count)| answers.get(status.as_str()) >= Some(count)),
        "{answers:?}, {seen:?}"
    );
    let as_client = figure("outbound_opened_total");
    assert_eq!(answers.get("101").copied().unwrap_or_default() + as_client, opened.len() as f64);
    assert_eq!(figure("outbound_failed_total"), record.unopened.borrow().len() as f64);
    assert_eq!(figure("outbound_connections"), 0.0);
    assert!(answered + figure("dropped_clients_total") <= accepted.len() as f64, "one answer each");
    let nothing_refused = !accepted.iter().chain(servers).any(Script::has_refused);
    if nothing_refused {
        assert_eq!(answers, borrowed(&seen));
    }

    // Messages: those that hooks received, and those of which a part was written.
    assert_eq!(figure("received_messages_total"), record.messages.borrow().len() as f64);
    let begun = traffic.outputs.values().map(|it| it.messages).sum::<u64>() as f64;
    assert!(begun <= figure("sent_messages_total"), "{begun} messages have left, more than were counted");
    let is_cut_off = |(_, code, cause, _): &(_, CloseCode, Cause, _)| {
        *code == CloseCode::ABNORMAL && *cause == Cause::Local
    };
    let compressed = traffic.outputs.values().map(|it| it.compressed).sum::<u64>() as f64;
    assert!(compressed <= figure("compressed_messages_total"));
    if nothing_refused && !closed.iter().any(is_cut_off) {
        assert_eq!(begun, figure("sent_messages_total"), "what no socket has refused has left");
        assert_eq!(compressed, figure("compressed_messages_total"));
    }
    if nothing_refused {
        let compressing = traffic.outputs.values().filter(|it| it.compresses).count() as f64;
        assert_eq!(compressing, figure("compressed_connections_total"));
    }
    assert_eq!((figure("compressor_bytes"), figure("window_bytes")), (0.0, 0.0), "all is given back");
    assert!(
        traffic.outputs.values().all(|it| !it.has_more_after_close),
        "§5.5.1: nothing comes after a Close"
    );
}

/// Compares a page that the last client got with the figures after that client has left.
#[track_caller]
pub(crate) fn check_page(page: &str, end: &str) {
    let (head, body) = page.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
    let (mut shown, mut end) = (figures(body), figures(end));
    assert_eq!(shown.remove("wirehook_sockets"), Some(1.0), "the client that asks");
    assert_eq!(end.remove("wirehook_sockets"), Some(0.0));
    let sent = [&mut shown, &mut end].map(|it| it.remove("wirehook_sent_bytes_total").unwrap());
    assert_eq!(sent[1] - sent[0], page.len() as f64, "the page itself");
    assert_eq!(shown, end);
}
