//! The page, and the headers that keep it to itself.
//!
//! This file knows how the page is put together from its three sources, so that it needs nothing from anywhere. It
//! refuses to know what the page does: `page/script.js` does.

use std::fmt::Write;

use wirehook::{Config, protocol::Response};

use super::rows;

const HTML: &str = include_str!("page/page.html");
const STYLE: &str = include_str!("page/style.css");
const SCRIPT: &str = include_str!("page/script.js");
const RULES: &str = include_str!("page/rules.html");

/// The page. The nonce is new each time: only what was written here runs, whatever might get into the page later.
pub(super) fn page(nonce: &str) -> Response {
    let body = HTML
        .replace("{{nonce}}", nonce)
        .replace("{{version}}", env!("CARGO_PKG_VERSION"))
        .replace("{{style}}", STYLE)
        .replace("{{script}}", SCRIPT);
    html(&body, nonce)
}

/// The rows of `docs/rfc6455.md`, as a page to which rules can link.
pub(super) fn rules(nonce: &str) -> Response {
    let body = RULES.replace("{{nonce}}", nonce).replace("{{style}}", STYLE).replace("{{rows}}", &rows::HTML);
    html(&body, nonce)
}

/// The first message of a trace: what the page has to know.
pub(super) fn welcome(token: &str, config: &Config) -> String {
    // Tokens of both kinds need no escaping: `units.rs` lets nothing else pass as a subprotocol.
    let mut subprotocols = String::new();
    for name in &config.subprotocols {
        let comma = if subprotocols.is_empty() { "" } else { "," };
        let _ = write!(subprotocols, r#"{comma}"{name}""#);
    }
    let limit = config.limits.max_message_size;
    format!(r#"{{"kind":"trace","token":"{token}","subprotocols":[{subprotocols}],"limit":{limit}}}"#)
}

fn html(body: &str, nonce: &str) -> Response {
    let mut response = Response::page(200, "text/html; charset=utf-8", body);
    let policy = format!(
        "default-src 'none'; style-src 'nonce-{nonce}'; script-src 'nonce-{nonce}'; connect-src 'self'; \
         img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    );
    let headers = [
        ("Content-Security-Policy", &*policy),
        ("X-Content-Type-Options", "nosniff"),
        ("Referrer-Policy", "no-referrer"),
        ("Cross-Origin-Opener-Policy", "same-origin"),
        ("Cross-Origin-Resource-Policy", "same-origin"),
        ("Cache-Control", "no-store"),
    ];
    for (name, value) in headers {
        // None of them is one that can't be sent.
        let _ = response.header(name, value);
    }
    response
}
