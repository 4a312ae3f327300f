//! What the layers say about themselves, on standard error. They never say a secret.

use std::io::Write;
use std::time::Instant;

use log::LevelFilter;

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
