//! What the layers say about themselves, on standard error. They never say a secret.

use std::io::Write;
use std::time::Instant;

use log::{Level, LevelFilter, Record};

/// `-v` shows what the layers drop and decide, `-vv` all else; `RUST_LOG` overrides both.
pub(crate) fn init(verbose: u8) {
    let level = match verbose {
        0 => LevelFilter::Warn,
        1 => LevelFilter::Debug,
        _ => LevelFilter::Trace,
    };
    let start = Instant::now();
    env_logger::Builder::new()
        .filter_level(level)
        .parse_default_env()
        .format(move |out, record| {
            if tells_secrets(record) {
                return Ok(());
            }
            let at = start.elapsed().as_secs_f64();
            writeln!(
                out,
                "{at:9.4} {:5} {}: {}",
                record.level(),
                record.target(),
                record.args()
            )
        })
        .init();
}

/// At its lowest level, the HTTP library shows addresses whole, with what they say about the user, and headers.
fn tells_secrets(record: &Record<'_>) -> bool {
    record.level() == Level::Trace
        && ["ureq", "rustls"]
            .iter()
            .any(|library| record.target().starts_with(library))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_http_library_is_silent_at_its_lowest_level() {
        let tells =
            |level, target| tells_secrets(&Record::builder().level(level).target(target).build());
        assert!(tells(Level::Trace, "ureq::run"));
        assert!(tells(Level::Trace, "ureq_proto::client"));
        assert!(!tells(Level::Debug, "ureq::run"));
        assert!(!tells(Level::Trace, "wyze_session::client"));
    }
}
