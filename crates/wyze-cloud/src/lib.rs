//! The account service of Wyze: what a program needs from it, once, to reach cameras without it ever after.
//!
//! | type | what it is for |
//! |---|---|
//! | [`Account`] | e-mail, password, API key and key id, as the user types them |
//! | [`Client`] | the requests: [`login`](Client::login), second factor, [`list_cameras`](Client::list_cameras) |
//! | [`Camera`] | one camera of the account, and its `wyze://` URL |
//! | [`Store`] | tokens and cameras in the user's configuration directory, so that names work offline |
//!
//! Nothing here prompts or prints: a program asks its user and calls the next method.
//!
//! ```no_run
//! use wyze_cloud::{Account, Client, Endpoints, Login, Options, Store};
//!
//! # fn ask(what: &str) -> String { what.into() }
//! let mut store = Store::open(&Store::default_dir()?)?;
//! let client = Client::new(&Endpoints::default(), &store.phone_id()?, &Options::default());
//!
//! let account = Account::new(&ask("e-mail"), &ask("password"), &ask("key id"), &ask("API key"))?;
//! let tokens = match client.login(&account)? {
//!     Login::Done(tokens) => tokens,
//!     Login::SecondFactor(factor) if factor.offers_totp() => {
//!         client.login_totp(&factor, &ask("code of your authenticator app"))?
//!     }
//!     Login::SecondFactor(factor) => {
//!         let sms = client.send_sms_code(&factor)?;
//!         client.login_sms(&factor, &sms, &ask("code from the SMS"))?
//!     }
//! };
//! store.set_tokens(tokens)?;
//!
//! // Later: renews the tokens by itself when they have expired, so both are stored.
//! let mut tokens = store.tokens().ok_or("log in first")?;
//! let cameras = client.list_cameras(&mut tokens);
//! store.set_tokens(tokens)?;
//! store.set_cameras(cameras?)?;
//!
//! // Offline from here on.
//! let url = store.find("front door")?.url()?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Passwords, tokens, keys, ENRs, UIDs and MACs never appear in `Debug`, in errors or in the log, and are wiped when
//! dropped as far as they lie in memory of this crate. One exception is not in our hands: at level `trace` the HTTP
//! library (log target `ureq`) shows the query of the request for an SMS, with its session and user id. A program should
//! cap that target at `debug`, where it hides paths and queries by itself.
//!
//! Source: `docs/protocol.md` §4; nothing of it was tried against the real service.
#![cfg_attr(
    not(test),
    deny(
        clippy::indexing_slicing,
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic
    )
)]

mod account;
mod api;
mod camera;
mod client;
mod error;
#[cfg(any(test, feature = "fuzz"))]
#[cfg_attr(not(feature = "fuzz"), allow(unreachable_pub))]
mod fuzz;
mod http;
mod loose;
mod record;
mod store;

pub use account::{Account, Login, SecondFactor, SmsSession, Tokens};
pub use camera::{Camera, NoUrl};
pub use client::{Client, Endpoints, Options, Roots};
pub use error::Error;
#[cfg(feature = "fuzz")]
pub use fuzz::cloud_json;
pub use store::{FindError, PhoneId, Store, StoreError};
pub use tutk_core::Secret;
