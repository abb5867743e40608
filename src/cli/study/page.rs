//! The page, and the headers that isolate it.
//!
//! This file assembles the page from its three sources, without external resources. `page/script.js` knows
//! what the page does.

use std::fmt::Write;

use wirehook::{Config, protocol::Response};

use super::rows;

const HTML: &str = include_str!("page/page.html");
const STYLE: &str = include_str!("page/style.css");
const SCRIPT: &str = include_str!("page/script.js");
const RULES: &str = include_str!("page/rules.html");

/// Returns the page. The nonce is new each time: only scripts and styles written here run.
pub(super) fn page(nonce: &str) -> Response {
    let body = HTML
        .replace("{{nonce}}", nonce)
        .replace("{{version}}", env!("CARGO_PKG_VERSION"))
        .replace("{{style}}", STYLE)
        .replace("{{script}}", SCRIPT);
    html(&body, nonce)
}

/// Returns the rows of `docs/rfc6455.md`, as a page that rules link to.
pub(super) fn rules(nonce: &str) -> Response {
    let body = RULES.replace("{{nonce}}", nonce).replace("{{style}}", STYLE).replace("{{rows}}", &rows::HTML);
    html(&body, nonce)
}

/// Returns the first message of a trace: the page's configuration.
pub(super) fn first_message(token: &str, config: &Config) -> String {
    // Subprotocols need no escaping: `units.rs` accepts tokens only.
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
        // All of them are valid.
        let _ = response.header(name, value);
    }
    response
}
