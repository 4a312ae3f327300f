//! What only doorbells do.

use super::{Raw, byte_enum, command};

byte_enum! {
    /// A phrase that a doorbell says to who stands before it.
    QuickReply {
        /// 1: "Can I help you?"
        CanIHelpYou = 1,
        /// 2: "We'll be there shortly."
        BeThereShortly = 2,
        /// 3: "Leave the package outside."
        LeavePackage = 3,
    }
}

command! {
    /// Lets a doorbell say a phrase (K11635; by the rule of all others, K11636 answers it).
    SayQuickReply {
        /// Which.
        reply: QuickReply,
    } = K11635 -> Raw<'p>
}
