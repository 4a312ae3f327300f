//! Cameras whose key is none, or nearly none, by no fault of anybody here.

use wyze_std::session::ClientConfig;
use wyze_std::session::kauth::psk_len;

/// Fewer bytes than this of the DTLS key are searched through in days (`docs/security.md`).
const STRONG: usize = 8;

/// Warns when the rule for zero bytes leaves little or nothing of the camera's DTLS key.
pub(crate) fn warn(config: &ClientConfig<'_>) {
    if let Some(warning) = warning(psk_len(config.credentials().0)) {
        log::warn!("{warning}");
    }
}

/// What to say of a key of so many bytes.
fn warning(len: usize) -> Option<&'static str> {
    match len {
        0 => Some(
            "by a quirk of the protocol (1 camera in 256) this camera's DTLS key is all zeros: somebody on its network can \
             learn its ENR and watch it; set the camera up anew to give it another ENR",
        ),
        1..STRONG => Some(
            "by a quirk of the protocol (1 camera in 32) this camera's DTLS key is so short that it can be guessed by \
             somebody on its network; set the camera up anew to give it another ENR",
        ),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_keys_that_protect_nothing_are_warned_of() {
        assert!(warning(0).is_some_and(|w| w.contains("all zeros")));
        assert!(warning(7).is_some_and(|w| w.contains("guessed")));
        assert_eq!((warning(8), warning(32)), (None, None));
    }
}
