//! Who is let in, and at what price per request.

use std::collections::{HashMap, VecDeque};
use std::time::{Duration, Instant};

use axum::http::header::AUTHORIZATION;
use axum::http::{HeaderMap, Method};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::config::Limits;
use super::refusal::Refusal;

/// Failing requests are counted over this long before the API is switched off.
const ABUSE_WINDOW: Duration = Duration::from_secs(60);

/// The credentials that an account accepts, and whether it accepts any.
#[derive(Clone, Debug)]
pub struct Access {
    /// Login of the administrator.
    pub login: String,
    /// Password of the administrator.
    pub password: String,
    /// The one token of the administrator that is valid; asking for another revokes it.
    pub user_token: Option<String>,
    /// Token of the application; none while it is not installed or suspended.
    pub application_token: Option<String>,
    /// Whether the application is published.
    pub published: bool,
    /// Whether the API was switched off, by the administrator or for abuse.
    pub switched_off: bool,
    /// How many requests were turned away for their number within a time.
    pub over_rate: u64,
    /// How many requests were turned away for their number at once.
    pub over_parallel: u64,
    failures: HashMap<String, VecDeque<Instant>>,
}

impl Default for Access {
    fn default() -> Self {
        Self {
            login: String::new(),
            password: String::new(),
            user_token: None,
            application_token: None,
            published: true,
            switched_off: false,
            over_rate: 0,
            over_parallel: 0,
            failures: HashMap::new(),
        }
    }
}

/// Who sends a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Caller {
    /// The administrator, with a password or a token.
    User,
    /// The application, published or not.
    Application {
        /// Whether it is published.
        published: bool,
    },
}

impl Caller {
    /// The name under which the caller's requests are counted.
    pub fn name(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Application { .. } => "application",
        }
    }

    /// What a request costs the caller.
    pub fn cost(self, limits: &Limits) -> u32 {
        match self {
            Self::User => limits.user_cost,
            Self::Application { published: true } => 1,
            Self::Application { published: false } => limits.draft_cost,
        }
    }
}

/// What a request for a token may be sent with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Accepts {
    /// A login and password only.
    Password,
    /// Anything.
    Anything,
}

impl Access {
    /// The name of the application in the account.
    pub fn application_uid(&self) -> String {
        let account = self
            .login
            .split_once('@')
            .map_or("", |(_, account)| account);
        format!("tenon.simulated@{account}")
    }

    /// Who sent a request with these headers.
    pub fn caller(&self, headers: &HeaderMap, accepts: Accepts) -> Result<Caller, Refusal> {
        if self.switched_off {
            return Err(told(
                Refusal::code(1061),
                "403001",
                "API access is switched off",
            ));
        }
        let Some(value) = headers.get(AUTHORIZATION).and_then(|one| one.to_str().ok()) else {
            return Err(unknown("нет заголовка Authorization", "401000"));
        };
        if let Some(credentials) = value.strip_prefix("Basic ") {
            let expected = format!("{}:{}", self.login, self.password);
            return match STANDARD.decode(credentials.trim()) {
                Ok(bytes) if bytes == expected.as_bytes() => Ok(Caller::User),
                _ => Err(unknown(
                    "неправильный пароль или имя пользователя",
                    "401001",
                )),
            };
        }
        match value.strip_prefix("Bearer ").map(str::trim) {
            Some(token) if accepts == Accepts::Anything => {
                if self.user_token.as_deref() == Some(token) {
                    Ok(Caller::User)
                } else if self.application_token.as_deref() == Some(token) {
                    Ok(Caller::Application {
                        published: self.published,
                    })
                } else {
                    Err(unknown("неправильный токен", "401002"))
                }
            }
            _ => Err(unknown("этот вид аутентификации не подходит", "401003")),
        }
    }

    /// Counts a failed request, and switches the API off when the same one failed too often.
    pub fn failed(&mut self, method: &Method, url: &str, limits: &Limits, now: Instant) {
        let Some(most) = limits.failures else { return };
        let failures = self.failures.entry(format!("{method} {url}")).or_default();
        failures.push_back(now);
        while failures
            .front()
            .is_some_and(|first| now.duration_since(*first) >= ABUSE_WINDOW)
        {
            failures.pop_front();
        }
        self.switched_off |= failures.len() > most as usize;
    }
}

fn unknown(why: &str, extended: &str) -> Refusal {
    told(Refusal::about(1056, why), extended, why)
}

/// Adds the headers of a refused authentication. The message travels percent-encoded.
fn told(refusal: Refusal, extended: &str, message: &str) -> Refusal {
    let mut encoded = String::new();
    for byte in message.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' => encoded.push(char::from(byte)),
            _ => crate::json::append(&mut encoded, format_args!("%{byte:02X}")),
        }
    }
    refusal
        .header("x-lognex-auth", extended)
        .header("x-lognex-auth-message", encoded)
}
