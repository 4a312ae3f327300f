//! The shape of every layer.

use rand_core::CryptoRng;

use crate::{Datagram, Instant, TxBuf};

/// Everything a call needs that is not determined by earlier inputs: the present moment and randomness.
///
/// `rng` must be cryptographically secure outside of tests: session ids, DTLS randoms, X25519 keys and CBC IVs come
/// from it.
pub struct Cx<'a> {
    /// The present moment on the caller's clock.
    pub now: Instant,
    /// The caller's randomness.
    pub rng: &'a mut dyn CryptoRng,
}

impl<'a> Cx<'a> {
    /// Bundles the two.
    pub fn new(now: Instant, rng: &'a mut dyn CryptoRng) -> Self {
        Self { now, rng }
    }
}

impl core::fmt::Debug for Cx<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Cx")
            .field("now", &self.now)
            .finish_non_exhaustive()
    }
}

/// One layer of the stack, either role.
///
/// After any call that takes `&mut self`, drain [`poll_transmit`](Self::poll_transmit) until it has nothing, then wait
/// for whichever comes first: a datagram or [`poll_timeout`](Self::poll_timeout). Extra calls are harmless.
/// An `Err` means this object is finished: drop it.
///
/// Events borrow only from the datagram, never from the layer, so a layer can be called again while one is looked at.
pub trait Layer {
    /// Bytes this layer may write in front of a payload.
    const HEADROOM: usize;
    /// Bytes this layer may write behind a payload.
    const TAILROOM: usize;
    /// What a datagram can bring about. Borrows from the datagram.
    type Event<'p>;
    /// Why this object can't go on. Network noise is never an error: it is dropped and counted.
    type Error: core::error::Error;

    /// Reads at most one unit (packet, record, message) from `input` and says what it held.
    ///
    /// Call again until it answers `Ok(None)`, which means `input` is used up. Bytes that nobody can use are dropped
    /// and counted, never an error.
    ///
    /// # Errors
    /// A fatal reason; the object is finished.
    fn handle_datagram<'p>(
        &mut self,
        cx: &mut Cx<'_>,
        input: &mut Datagram<'p>,
    ) -> Result<Option<Self::Event<'p>>, Self::Error>;

    /// Does what is due at `cx.now`. A call before anything is due changes nothing.
    ///
    /// # Errors
    /// A fatal reason, such as a deadline that passed; the object is finished.
    fn handle_timeout(&mut self, cx: &mut Cx<'_>) -> Result<(), Self::Error>;

    /// Writes the next unit this layer itself wants to send into `tx`; `false` when it has none.
    ///
    /// `tx` arrives empty, with the room of all outer layers already reserved ([`TxBuf::reserve`]); this layer reserves
    /// its own. Call until `false` after every other call.
    ///
    /// # Errors
    /// A fatal reason; the object is finished. A `tx` that is too small is one.
    fn poll_transmit(&mut self, cx: &mut Cx<'_>, tx: &mut TxBuf<'_>) -> Result<bool, Self::Error>;

    /// When [`handle_timeout`](Self::handle_timeout) is next worth calling; `None` when no timer runs.
    /// May change after any other call.
    fn poll_timeout(&self) -> Option<Instant>;
}
