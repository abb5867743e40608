//! Only known users get in: a page by its session cookie, a program by a bearer token.
//!
//! `cargo run --example auth`, then connect to ws://127.0.0.1:9501 with the header
//! `Authorization: Bearer letmein`, or with `Cookie: session=c0ffee` from a page of http://127.0.0.1:9501.
//! All others get 401 and no connection.
//!
//! A browser sends its cookies with a WebSocket request of *any* page. Without the check of the origin, every
//! page that a user opens could connect in the user's name (§10.2).

use std::{collections::HashMap, env};

use wirehook::{Server, Upgrade, protocol::Request};

/// The state of a connection: its user.
#[derive(Default)]
struct User {
    name: String,
}

/// Names of users by their secrets. A real program asks its session store; long random secrets can't be
/// guessed.
struct Users {
    by_session: HashMap<&'static str, &'static str>,
    by_token: HashMap<&'static str, &'static str>,
}

impl Users {
    /// Returns the user that a request belongs to.
    fn of(&self, request: &Request<'_>) -> Option<User> {
        let by_cookie = || self.by_session.get(request.cookie("session")?);
        let by_token = || self.by_token.get(request.header("Authorization")?.strip_prefix("Bearer ")?);
        let name = by_token().or_else(by_cookie)?;
        Some(User { name: (*name).to_owned() })
    }
}

fn main() -> std::io::Result<()> {
    let address = env::args().nth(1).unwrap_or_else(|| "127.0.0.1:9501".to_owned());
    let users = Users {
        by_session: HashMap::from([("c0ffee", "Ann")]),
        by_token: HashMap::from([("letmein", "the robot")]),
    };
    let server = Server::bind(address)?;
    let own_page = format!("http://{}", server.local_addr()?);
    println!("ws://{}", server.local_addr()?);
    server
        // Requests without an Origin come from programs, not from pages, and pass.
        .configure(|config| config.origins = vec![own_page])
        .state::<User>()
        .on_upgrade(move |request, _| match users.of(request) {
            Some(user) => Upgrade::accept_with(user),
            None => Upgrade::reject(401, "Log in first.").header("WWW-Authenticate", "Bearer"),
        })
        .on_open(|ws, _| {
            ws.send(format!("hello, {}", ws.state().name));
        })
        .run()
}
