//! Which generation of the AV layer is spoken.

use tutk_core::TxBuf;

use crate::IoctlForm;

/// What travels outside of DTLS, and the second generation, bears this version.
pub(crate) const OLD_VERSION: u16 = 0x000b;

/// A generation of the AV layer, named as in `docs/protocol.md` §2.12. The two older ones travel without DTLS.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Generation {
    /// §2.5 inside of DTLS: what every present camera speaks.
    #[default]
    Dtls,
    /// §2.5 without DTLS, older in small things: version 0x000b, direct IOCTRLs, an ACK after every frame, no lossless
    /// mode.
    Session25,
    /// Messages of its own: a header of 24 bytes, one acknowledgement for each IOCTRL and none for media.
    Session16,
}

impl Generation {
    /// Whether it travels without DTLS. Always `false` without the feature `plain`.
    pub const fn is_plain(self) -> bool {
        cfg!(feature = "plain") && !matches!(self, Self::Dtls)
    }

    /// Whether it is [`Session16`](Self::Session16). Always `false` without the feature `plain`, so that the compiler
    /// leaves out what only that one needs.
    pub(crate) const fn is_oldest(self) -> bool {
        cfg!(feature = "plain") && matches!(self, Self::Session16)
    }

    /// How IOCTRLs of ours are laid out.
    pub(crate) const fn ioctl_form(self) -> IoctlForm {
        if self.is_oldest() {
            IoctlForm::Session16
        } else if self.is_plain() {
            IoctlForm::Direct
        } else {
            IoctlForm::Wrapped
        }
    }

    /// Puts the version of this generation into the message that begins at `start` of `tx`.
    pub(crate) fn stamp(self, start: usize, tx: &mut TxBuf<'_>) {
        if self.is_plain()
            && let Some(version) = tx.payload_mut().get_mut(start + 2..start + 4)
        {
            version.copy_from_slice(&OLD_VERSION.to_le_bytes());
        }
    }
}
