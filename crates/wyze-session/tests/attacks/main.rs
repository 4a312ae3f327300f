//! Attacks on a whole session, each test named after one; `docs/security.md` maps them, and those of the layers below.

#[path = "../it/common.rs"]
#[expect(dead_code, reason = "what the other test binary uses")]
mod common;
#[path = "../it/recorded.rs"]
mod recorded;

mod availability;
mod documented;
mod downgrade;
mod forgery;
mod leftovers;
mod oracle;
mod reflection;
mod replay;
mod scene;
