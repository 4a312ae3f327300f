//! Wyze cameras from an ordinary program: `wyze-session` driven over `std` UDP sockets.
//!
//! * [`Connection`] watches one camera: give it time with [`Connection::step`], get events. With
//!   [`Connection::set_reconnect`] it goes on after the camera has been away.
//! * [`serve`] is a camera: it answers any number of viewers up to its slots and plays a [`Source`] to each.
//! * [`CameraUrl`] reads `wyze://…` URLs as go2rtc writes them.
//!
//! ```no_run
//! use std::time::Duration;
//! use wyze_std::{CameraUrl, Connection, Memory, Status, session::Event};
//!
//! let url: CameraUrl = "wyze://192.0.2.7?uid=SIMCAMSIMCAMSIMCAM11&enr=sim-enr-16byte!!&mac=00AA11BB22CC".parse()?;
//! let mut memory = Memory::default();
//! let mut connection = Connection::open(&url, &url.config(), &mut memory)?;
//! let mut pictures = 0;
//! while pictures < 100 {
//!     let status = connection.step(Duration::from_secs(1), |event| {
//!         if let Event::Video(frame) = event {
//!             pictures += 1;
//!             println!("{} bytes of {:?}", frame.data.len(), frame.info.codec);
//!         }
//!     })?;
//!     if let Status::Closed(cause) = status {
//!         return Err(cause.into());
//!     }
//! }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
#![forbid(unsafe_code)]

mod clock;
mod connection;
mod server;
mod socket;
mod tap;
mod targets;
#[cfg(test)]
mod tests;
mod url;

pub use clock::{Clock, OsRng};
pub use connection::{Connection, Memory, Status};
pub use server::{Report, Sample, ServeOptions, Source, Totals, serve};
pub use tap::Tap;
pub use targets::{Broadcast, bind, targets};
#[cfg(feature = "keylog")]
pub use tutk_dtls::KeyLogEntry;
#[cfg(feature = "fuzz")]
pub use url::url;
pub use url::{CameraUrl, UrlError};
pub use wyze_session as session;
