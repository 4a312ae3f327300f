//! The answer to a K-command, kept so that a repeated request gets the same one.

use core::fmt;

use heapless::Vec;
use tutk_av::{IoctlTicket, Responder};
use tutk_core::wire::Writer;
use wyze_kauth::Code;
use zeroize::Zeroize;

/// Longest reply, HL header included, bytes. One IOCTRL packet carries it.
const MAX_REPLY_LEN: usize = 1000;

/// The answer to the latest request; repeated when the request is.
pub(super) struct Reply {
    pub(super) code: Code,
    pub(super) message: Vec<u8, MAX_REPLY_LEN>,
    pub(super) ticket: IoctlTicket,
    pub(super) due: bool,
}

/// K10001 holds the challenge.
impl Drop for Reply {
    fn drop(&mut self) {
        self.message.as_mut_slice().zeroize();
    }
}

/// Shows no content: K10003 holds the MAC address.
impl fmt::Debug for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reply")
            .field("code", &self.code)
            .field("len", &self.message.len())
            .field("due", &self.due)
            .finish_non_exhaustive()
    }
}

impl Reply {
    /// The HL message that `write` produces; `None` when it produces none or a longer one than an IOCTRL carries.
    pub(super) fn new(
        av: &mut Responder<'_>,
        write: impl FnOnce(&mut Writer<'_>) -> Option<Code>,
    ) -> Option<Self> {
        let mut memory = [0u8; MAX_REPLY_LEN];
        let mut writer = Writer::new(&mut memory);
        let code = write(&mut writer)?;
        let message = Vec::from_slice(writer.finish().ok()?).ok()?;
        Some(Self {
            code,
            message,
            ticket: av.ioctl_ticket(),
            due: true,
        })
    }
}
