//! What the layers say about themselves, on standard error. They never say a secret.

use std::io::Write;
use std::time::Instant;

use log::{Level, LevelFilter, Log, Metadata, Record};

/// `-v` shows what the layers drop and decide, `-vv` all else; `RUST_LOG` overrides both.
pub(crate) fn init(verbose: u8) {
    let level = match verbose {
        0 => LevelFilter::Warn,
        1 => LevelFilter::Debug,
        _ => LevelFilter::Trace,
    };
    let start = Instant::now();
    let logger = env_logger::Builder::new()
        .filter_level(level)
        .parse_default_env()
        .format(move |out, record| {
            let at = start.elapsed().as_secs_f64();
            writeln!(
                out,
                "{at:9.4} {:5} {}: {}",
                record.level(),
                record.target(),
                record.args()
            )
        })
        .build();
    log::set_max_level(logger.filter());
    // This is the first and only logger.
    let _ = log::set_boxed_logger(Box::new(Discreet(logger)));
}

/// Says of the libraries below that their lowest level is off, whatever was asked for. To leave its lines out would not do:
/// where it is on, the HTTP library shows addresses whole at other levels too, with what their query says about the user.
struct Discreet<L>(L);

impl<L: Log> Log for Discreet<L> {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        !tells_secrets(metadata) && self.0.enabled(metadata)
    }

    fn log(&self, record: &Record<'_>) {
        if !tells_secrets(record.metadata()) {
            self.0.log(record);
        }
    }

    fn flush(&self) {
        self.0.flush();
    }
}

fn tells_secrets(metadata: &Metadata<'_>) -> bool {
    metadata.level() == Level::Trace
        && ["ureq", "rustls"]
            .iter()
            .any(|library| metadata.target().starts_with(library))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_http_library_is_told_that_its_lowest_level_is_off() {
        let all = env_logger::Builder::new()
            .parse_filters("trace,ureq::util=trace")
            .build();
        let logger = Discreet(all);
        let on = |level, target| {
            logger.enabled(&Metadata::builder().level(level).target(target).build())
        };
        for target in ["ureq::run", "ureq::util", "ureq_proto::client", "rustls"] {
            assert!(!on(Level::Trace, target), "{target}");
            assert!(on(Level::Debug, target), "{target}");
        }
        assert!(on(Level::Trace, "wyze_session::client"));
    }
}
