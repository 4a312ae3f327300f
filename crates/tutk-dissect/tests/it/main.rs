//! Captures taken apart, told what is wrong with them, and redacted.

mod common;
mod faults;
mod formats;
mod plain;
mod redaction;
mod sessions;
mod wireshark;
