//! The pages for monitoring programs: `/metrics`, `/healthz`, `/readyz`.
//!
//! This file knows three paths and their content. It does not know where the figures come from.

use crate::{
    protocol::{Request, Response},
    stats::Stats,
};

/// The media type of Prometheus's text format.
const PROMETHEUS: &str = "text/plain; version=0.0.4; charset=utf-8";
const PLAIN: &str = "text/plain; charset=utf-8";

/// Returns the page that a GET or a HEAD asks for.
pub(super) fn page(request: &Request<'_>, stats: &Stats, is_shutting_down: bool) -> Response {
    let page = match request.check_page() {
        Ok(()) => page_at(request.path(), stats, is_shutting_down),
        Err(error) => Response::refusal(error),
    };
    if request.method() == "HEAD" { page.without_body() } else { page }
}

fn page_at(path: &str, stats: &Stats, is_shutting_down: bool) -> Response {
    match path {
        "/metrics" => Response::page(200, PROMETHEUS, &stats.prometheus()),
        "/healthz" => Response::page(200, PLAIN, "ok\n"),
        "/readyz" if is_shutting_down => Response::page(503, PLAIN, "draining\n"),
        "/readyz" => Response::page(200, PLAIN, "ready\n"),
        _ => Response::page(404, PLAIN, "There is /metrics, /healthz and /readyz.\n"),
    }
}
