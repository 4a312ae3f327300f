//! Received bytes.

use core::net::SocketAddr;

/// What is still unread of one received datagram.
///
/// Layers take units off its front, decrypt them where they lie, and put an unwrapped payload back with
/// [`replace`](Self::replace) for the next layer. Nothing is copied.
///
/// ```
/// use tutk_core::Datagram;
/// let mut bytes = *b"header+payload";
/// let mut input = Datagram::new("192.0.2.7:32761".parse().unwrap(), &mut bytes);
/// assert_eq!(input.take(7).as_deref(), Some(&b"header+"[..]));
/// assert_eq!(input.take(100), None); // too short: nothing is taken
/// assert_eq!(input.take_all(), b"payload");
/// assert!(input.is_empty());
/// ```
pub struct Datagram<'p> {
    rest: &'p mut [u8],
    from: SocketAddr,
    channel: Option<u8>,
}

impl<'p> Datagram<'p> {
    /// A datagram as the socket delivered it: who sent it and its bytes.
    pub fn new(from: SocketAddr, bytes: &'p mut [u8]) -> Self {
        Self {
            rest: bytes,
            from,
            channel: None,
        }
    }

    /// Who sent it, according to the network. Nothing has proved it.
    pub fn from(&self) -> SocketAddr {
        self.from
    }

    /// The IOTC channel the unread bytes came on, once an endpoint has unwrapped the IOTC packet around them.
    pub fn channel(&self) -> Option<u8> {
        self.channel
    }

    /// Remembers the IOTC channel, so that an endpoint called again knows that only the inside is left.
    pub fn set_channel(&mut self, channel: u8) {
        self.channel = Some(channel);
    }

    /// Unread bytes.
    pub fn len(&self) -> usize {
        self.rest.len()
    }

    /// Whether everything has been read.
    pub fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// A look at the unread bytes.
    pub fn peek(&self) -> &[u8] {
        self.rest
    }

    /// Takes `n` bytes off the front; `None`, and nothing taken, when there are fewer.
    pub fn take(&mut self, n: usize) -> Option<&'p mut [u8]> {
        let rest = core::mem::take(&mut self.rest);
        match rest.split_at_mut_checked(n) {
            Some(_) => {
                let (head, tail) = rest.split_at_mut(n);
                self.rest = tail;
                Some(head)
            }
            None => {
                self.rest = rest;
                None
            }
        }
    }

    /// Takes everything that is left; empty when nothing is.
    pub fn take_all(&mut self) -> &'p mut [u8] {
        core::mem::take(&mut self.rest)
    }

    /// Puts `rest` back as the unread bytes: what a layer found inside the unit it took.
    pub fn replace(&mut self, rest: &'p mut [u8]) {
        self.rest = rest;
    }
}

/// Shows no content: what is unread may be plaintext.
impl core::fmt::Debug for Datagram<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Datagram")
            .field("from", &self.from)
            .field("channel", &self.channel)
            .field("len", &self.rest.len())
            .finish()
    }
}
