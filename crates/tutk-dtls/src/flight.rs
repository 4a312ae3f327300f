//! What is being sent, as a list of things to encode and a place in it: no bytes are kept.

use tutk_core::Instant;

use crate::message::Kind;

/// One element of a flight.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Item {
    Message(Kind),
    ChangeCipherSpec,
}

/// A flight and how far it has been sent.
#[derive(Debug, Clone, Default)]
pub(crate) struct Flight {
    items: &'static [Item],
    /// Number of the first message.
    first_seq: u16,
    /// Whether the peer must answer: then it is repeated until it does.
    answered: bool,
    sending: bool,
    item: usize,
    /// Bytes of the current message that have been sent.
    offset: usize,
    sent_at: Option<Instant>,
}

impl Flight {
    /// A new flight, to be sent from its start.
    pub(crate) fn new(items: &'static [Item], first_seq: u16, answered: bool) -> Self {
        Self {
            items,
            first_seq,
            answered,
            sending: true,
            item: 0,
            offset: 0,
            sent_at: None,
        }
    }

    /// From the start again.
    pub(crate) fn restart(&mut self) {
        self.sending = !self.items.is_empty();
        self.item = 0;
        self.offset = 0;
    }

    /// Not to be sent any further.
    pub(crate) fn stop(&mut self) {
        self.sending = false;
    }

    pub(crate) fn is_sending(&self) -> bool {
        self.sending
    }

    pub(crate) fn is_answered(&self) -> bool {
        self.answered
    }

    pub(crate) fn is_at_start(&self) -> bool {
        (self.item, self.offset) == (0, 0)
    }

    /// When the last byte was last handed out.
    pub(crate) fn sent_at(&self) -> Option<Instant> {
        self.sent_at
    }

    /// The element to send next.
    pub(crate) fn current(&self) -> Option<Item> {
        self.items.get(self.item).copied()
    }

    pub(crate) fn offset(&self) -> usize {
        self.offset
    }

    /// The first `n` further bytes of the current message went out.
    pub(crate) fn advance(&mut self, n: usize) {
        self.offset += n;
    }

    /// The current element went out entirely.
    pub(crate) fn next(&mut self) {
        self.item += 1;
        self.offset = 0;
    }

    /// All of it went out.
    pub(crate) fn finish(&mut self, now: Instant) {
        self.sending = false;
        self.sent_at = Some(now);
    }

    /// Number of the current message.
    pub(crate) fn seq(&self) -> u16 {
        self.seq_of(self.item)
    }

    /// Number of the message after this flight.
    pub(crate) fn seq_after(&self) -> u16 {
        self.seq_of(self.items.len())
    }

    fn seq_of(&self, item: usize) -> u16 {
        let messages = self
            .items
            .iter()
            .take(item)
            .filter(|i| matches!(i, Item::Message(_)));
        self.first_seq.wrapping_add(messages.count() as u16)
    }

    /// Every message with its number, for the transcript.
    pub(crate) fn messages(&self) -> impl Iterator<Item = (Kind, u16)> + use<> {
        let first = self.first_seq;
        let kinds = self.items.iter().filter_map(|i| match i {
            Item::Message(kind) => Some(*kind),
            Item::ChangeCipherSpec => None,
        });
        kinds.zip((0u16..).map(move |i| first.wrapping_add(i)))
    }
}
