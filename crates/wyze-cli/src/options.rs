//! Values that several subcommands read from the command line.

use std::time::Duration;

/// Seconds, such as `10` or `0.5`; more than zero.
pub(crate) fn seconds(text: &str) -> Result<Duration, String> {
    text.parse()
        .ok()
        .filter(|s: &f64| *s > 0.0)
        .and_then(|s| Duration::try_from_secs_f64(s).ok())
        .ok_or_else(|| "not a number of seconds such as 10 or 0.5".to_owned())
}

/// Frames a second, such as `20` or `29.97`: 1 to 255, which is what FRAMEINFO can say.
pub(crate) fn frame_rate(text: &str) -> Result<f64, String> {
    text.parse()
        .ok()
        .filter(|rate| (1.0..=255.0).contains(rate))
        .ok_or_else(|| {
            "not a number of frames a second from 1 to 255, such as 20 or 29.97".to_owned()
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_are_positive_numbers() {
        assert_eq!(seconds("1.5"), Ok(Duration::from_millis(1500)));
        for bad in ["", "0", "-1", "nan", "inf", "1e99", "ten"] {
            assert!(seconds(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn frame_rates_are_those_that_can_be_told() {
        for (text, rate) in [("20", 20.0), ("29.97", 29.97), ("1", 1.0), ("255", 255.0)] {
            assert_eq!(frame_rate(text), Ok(rate));
        }
        for bad in ["", "0", "-5", "nan", "inf", "0.5", "256", "fast"] {
            assert!(frame_rate(bad).is_err(), "{bad}");
        }
    }
}
