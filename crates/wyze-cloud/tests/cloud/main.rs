//! The client against a local HTTPS server that answers as `docs/protocol.md` §4 says the service does. Nothing here
//! reaches beyond the loopback interface.

mod cameras;
mod faults;
mod login;
mod secrets;
mod server;
mod service;
mod store;
