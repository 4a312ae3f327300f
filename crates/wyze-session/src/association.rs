//! One DTLS association and the AV messages inside, on one channel of an IOTC session; or the AV messages alone.
//!
//! ```text
//!   receive:  records ─► dtls.handle_datagram ─► plaintext;  read: plaintext ─► av.handle_datagram
//!   transmit: av.poll_transmit / write_ioctl / media ─► seal: dtls.seal ─► iotc.wrap(channel)     (one buffer, in place)
//!
//!   Guard::Dtls, or plain ─ a DTLS record came ─► Guard::Dtls, for good
//!      │  DTLS flights; after 1.5 s without a record, or at the first plain message, AV logins between them
//!      └─ a login was answered, our serial in it ─► Guard::Plain, for good
//! ```

use core::net::SocketAddr;
#[cfg(feature = "client")]
use core::time::Duration;

use tutk_av::Generation;
use tutk_core::{Cx, Datagram, Instant, Layer, TxBuf, earlier};
use tutk_dtls::{CipherSuite, SealError};

use crate::event::Cause;
use crate::stack::IotcRole;

/// How long a camera may take to answer the first DTLS flight before a login without DTLS is tried, too: so long that a
/// camera that speaks DTLS has got two of them.
#[cfg(feature = "client")]
const PLAIN_PATIENCE: Duration = Duration::from_millis(1500);

/// Either role of the DTLS layer.
pub(crate) trait DtlsRole:
    for<'p> Layer<Event<'p> = tutk_dtls::Event<'p>, Error = tutk_dtls::Error>
{
    fn seal(&mut self, cx: &mut Cx<'_>, tx: &mut TxBuf<'_>) -> Result<(), SealError>;
    fn reset(&mut self, cx: &mut Cx<'_>);
    fn phase(&self) -> tutk_dtls::Phase;
    fn close(&mut self);
}

/// Either role of the AV layer.
pub(crate) trait AvRole:
    for<'p> Layer<Event<'p> = tutk_av::Event<'p>, Error = tutk_av::Error>
{
    /// Begins anew in a generation.
    fn set_generation(&mut self, generation: Generation);
    /// Whether a message answers a login that went out without DTLS.
    fn is_answer(&self, message: &[u8]) -> bool;
}

macro_rules! dtls_role {
    ($ty:ty) => {
        impl DtlsRole for $ty {
            fn seal(&mut self, cx: &mut Cx<'_>, tx: &mut TxBuf<'_>) -> Result<(), SealError> {
                <$ty>::seal(self, cx, tx)
            }
            fn reset(&mut self, cx: &mut Cx<'_>) {
                <$ty>::reset(self, cx);
            }
            fn phase(&self) -> tutk_dtls::Phase {
                <$ty>::phase(self)
            }
            fn close(&mut self) {
                <$ty>::close(self);
            }
        }
    };
}

#[cfg(any(feature = "client", feature = "talk"))]
dtls_role!(tutk_dtls::Client<'_>);
#[cfg(any(feature = "camera", feature = "talk"))]
dtls_role!(tutk_dtls::Server<'_>);
impl AvRole for tutk_av::Initiator<'_> {
    fn set_generation(&mut self, generation: Generation) {
        Self::set_generation(self, generation);
    }
    fn is_answer(&self, message: &[u8]) -> bool {
        Self::is_answer(self, message)
    }
}

impl AvRole for tutk_av::Responder<'_> {
    fn set_generation(&mut self, generation: Generation) {
        Self::set_generation(self, generation);
    }
    fn is_answer(&self, _: &[u8]) -> bool {
        false
    }
}

/// What protects the messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Guard {
    /// `or_plain`: what answers decides, and from then on a login without DTLS may be tried.
    Dtls { or_plain: Option<Instant> },
    /// Nothing. `open`: both sides know, so that messages other than the login flow.
    Plain { generation: Generation, open: bool },
}

impl Guard {
    /// DTLS and nothing else.
    const DTLS: Self = Self::Dtls { or_plain: None };
}

/// What an association begins with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Begin {
    Dtls,
    /// DTLS, and Session25 when nothing answers that.
    #[cfg(feature = "client")]
    Either,
    /// A generation without DTLS. `known`: both sides know already, so that nobody has to ask.
    Plain {
        generation: Generation,
        known: bool,
    },
}

/// What a record held. Inside of DTLS only the holder of the key can have sent it.
pub(crate) enum Arrived<'p> {
    Secured(CipherSuite),
    /// The peer has answered a login without DTLS; the answer itself is read next.
    Plain,
    /// An AV message, to be [read](Association::read).
    Message(&'p mut [u8]),
    /// close_notify.
    Goodbye,
}

/// DTLS and AV on one channel.
#[derive(Debug)]
pub(crate) struct Association<D, A> {
    channel: u8,
    guard: Guard,
    pub(crate) dtls: D,
    pub(crate) av: A,
}

impl<D: DtlsRole, A: AvRole> Association<D, A> {
    pub(crate) const fn new(channel: u8, dtls: D, av: A) -> Self {
        Self {
            channel,
            guard: Guard::DTLS,
            dtls,
            av,
        }
    }

    /// Begins anew. Time limits count from now.
    pub(crate) fn begin(&mut self, cx: &mut Cx<'_>, begin: Begin) {
        let (guard, generation) = match begin {
            Begin::Plain { generation, known } if generation.is_plain() => {
                let open = known;
                (Guard::Plain { generation, open }, generation)
            }
            #[cfg(feature = "client")]
            Begin::Either if cfg!(feature = "plain") => {
                let or_plain = Some(cx.now + PLAIN_PATIENCE);
                (Guard::Dtls { or_plain }, Generation::Session25)
            }
            _ => (Guard::DTLS, Generation::Dtls),
        };
        self.guard = guard;
        self.dtls.reset(cx);
        self.av.set_generation(generation);
    }

    /// The generation in which messages flow without DTLS. Without the feature `plain` the compiler knows that there is
    /// none.
    pub(crate) fn plain(&self) -> Option<Generation> {
        match self.guard {
            Guard::Plain { generation, .. } if cfg!(feature = "plain") => Some(generation),
            _ => None,
        }
    }

    /// Whether the AV layer may speak now; `secured` says that DTLS is up.
    fn is_speaking(&self, now: Instant, secured: bool) -> bool {
        match self.guard {
            Guard::Dtls { or_plain: None } => secured,
            Guard::Dtls {
                or_plain: Some(from),
            } => from <= now,
            Guard::Plain { .. } => true,
        }
    }

    /// Says goodbye, if that can be said.
    pub(crate) fn close(&mut self) {
        if self.plain().is_none() {
            self.dtls.close();
        }
    }

    /// Reads records or messages of `input` up to the next that tells something; `None` when it is used up.
    pub(crate) fn receive<'p>(
        &mut self,
        cx: &mut Cx<'_>,
        input: &mut Datagram<'p>,
    ) -> Result<Option<Arrived<'p>>, Cause> {
        if !cfg!(feature = "plain") {
            return self.receive_record(cx, input);
        }
        match self.guard {
            Guard::Dtls { or_plain: None } => self.receive_record(cx, input),
            Guard::Dtls { .. } if is_record(input.peek()) => {
                // From here on nothing makes us speak without DTLS.
                self.guard = Guard::DTLS;
                self.av.set_generation(Generation::Dtls);
                self.receive_record(cx, input)
            }
            Guard::Dtls { .. } => {
                if self.av.is_answer(input.peek()) {
                    return Ok(Some(self.open_plain(Generation::Session25)));
                }
                if is_message(input.peek()) {
                    self.guard = Guard::Dtls {
                        or_plain: Some(cx.now),
                    };
                }
                input.take_all();
                Ok(None)
            }
            Guard::Plain {
                generation,
                open: false,
            } if self.av.is_answer(input.peek()) => Ok(Some(self.open_plain(generation))),
            Guard::Plain { .. } if input.is_empty() => Ok(None),
            Guard::Plain { .. } => Ok(Some(Arrived::Message(input.take_all()))),
        }
    }

    /// What an AV message tells. It is read by whoever has use for that: the event is large, and each layer that hands it
    /// on copies it.
    #[inline]
    pub(crate) fn read<'p>(
        &mut self,
        cx: &mut Cx<'_>,
        from: SocketAddr,
        message: &'p mut [u8],
    ) -> Result<Option<tutk_av::Event<'p>>, tutk_av::Error> {
        self.av
            .handle_datagram(cx, &mut Datagram::new(from, message))
    }

    fn open_plain(&mut self, generation: Generation) -> Arrived<'static> {
        self.guard = Guard::Plain {
            generation,
            open: true,
        };
        Arrived::Plain
    }

    fn receive_record<'p>(
        &mut self,
        cx: &mut Cx<'_>,
        input: &mut Datagram<'p>,
    ) -> Result<Option<Arrived<'p>>, Cause> {
        let Some(event) = self.dtls.handle_datagram(cx, input).map_err(dtls_cause)? else {
            return Ok(None);
        };
        Ok(Some(match event {
            tutk_dtls::Event::Connected { suite } => Arrived::Secured(suite),
            tutk_dtls::Event::Data(plaintext) => Arrived::Message(plaintext),
            tutk_dtls::Event::Closed => Arrived::Goodbye,
        }))
    }

    /// Does what is due; AV messages flow only once `secured`.
    pub(crate) fn handle_timeout(&mut self, cx: &mut Cx<'_>, secured: bool) -> Result<(), Cause> {
        if self.plain().is_none() {
            self.dtls.handle_timeout(cx).map_err(dtls_cause)?;
        }
        if !self.is_speaking(cx.now, secured) {
            return Ok(());
        }
        match self.av.handle_timeout(cx) {
            // The DTLS handshake has a limit of its own, and that one names the cause.
            Err(tutk_av::Error::LoginTimeout)
                if matches!(self.guard, Guard::Dtls { or_plain: Some(_) }) =>
            {
                self.av.set_generation(Generation::Session25);
                Ok(())
            }
            result => result.map_err(av_cause),
        }
    }

    pub(crate) fn poll_timeout(&self, secured: bool) -> Option<Instant> {
        let (dtls, av) = (self.dtls.poll_timeout(), self.av.poll_timeout());
        match self.guard {
            _ if self.plain().is_some() => av,
            // Once the first login is out, the AV layer's own timers count.
            Guard::Dtls {
                or_plain: or_plain @ Some(_),
            } => earlier(dtls, av.or(or_plain)),
            _ => earlier(dtls, av.filter(|_| secured)),
        }
    }

    /// Writes what a layer itself wants to send. When it answers `false` and `secured` is set, `tx` is empty with the room
    /// of all layers reserved: an AV message may be appended and [sealed](Self::seal).
    pub(crate) fn transmit<I: IotcRole>(
        &mut self,
        cx: &mut Cx<'_>,
        iotc: &mut I,
        tx: &mut TxBuf<'_>,
        secured: bool,
    ) -> Result<bool, Cause> {
        if self.transmit_dtls(cx, iotc, tx)? {
            return Ok(true);
        }
        if !self.is_speaking(cx.now, secured) {
            return Ok(false);
        }
        self.reserve::<I>(tx)?;
        if self.av.poll_transmit(cx, tx).map_err(av_cause)? {
            if secured {
                self.seal(cx, iotc, tx)?;
            } else {
                self.wrap(iotc, tx, false)?;
            }
            return Ok(true);
        }
        Ok(false)
    }

    /// Writes a handshake flight or an alert.
    pub(crate) fn transmit_dtls<I: IotcRole>(
        &mut self,
        cx: &mut Cx<'_>,
        iotc: &mut I,
        tx: &mut TxBuf<'_>,
    ) -> Result<bool, Cause> {
        tx.clear();
        if self.plain().is_some() {
            return Ok(false);
        }
        tx.reserve(I::HEADROOM, I::TAILROOM).map_err(too_small)?;
        if self.dtls.poll_transmit(cx, tx).map_err(dtls_cause)? {
            self.wrap(iotc, tx, true)?;
            return Ok(true);
        }
        Ok(false)
    }

    /// Empties `tx` and keeps room for the headers and trailers of IOTC and DTLS.
    pub(crate) fn reserve<I: IotcRole>(&self, tx: &mut TxBuf<'_>) -> Result<(), Cause> {
        tx.clear();
        tx.reserve(I::HEADROOM + D::HEADROOM, I::TAILROOM + D::TAILROOM)
            .map_err(too_small)
    }

    /// Encrypts the AV message in `tx`, where there is DTLS, and wraps it for this channel.
    pub(crate) fn seal<I: IotcRole>(
        &mut self,
        cx: &mut Cx<'_>,
        iotc: &mut I,
        tx: &mut TxBuf<'_>,
    ) -> Result<(), Cause> {
        let encrypted = self.plain().is_none();
        if encrypted {
            self.dtls.seal(cx, tx).map_err(seal_cause)?;
        }
        self.wrap(iotc, tx, encrypted)
    }

    fn wrap<I: IotcRole>(
        &self,
        iotc: &mut I,
        tx: &mut TxBuf<'_>,
        encrypted: bool,
    ) -> Result<(), Cause> {
        iotc.set_encrypted(encrypted);
        iotc.wrap(self.channel, tx)
            .map_err(|_| Cause::BufferTooSmall)
    }
}

/// Whether a payload begins like a DTLS record: type, version (RFC 6347 §4.1). No AV message does.
fn is_record(payload: &[u8]) -> bool {
    matches!(payload, [20..=23, 0xfe, 0xfd | 0xff, ..])
}

/// Whether a payload is a message of the AV layer, which only a camera without DTLS sends.
fn is_message(payload: &[u8]) -> bool {
    use tutk_av::Message;
    Message::parse(payload).is_ok_and(|message| !matches!(message, Message::Unknown(_)))
}

fn too_small(_: tutk_core::Full) -> Cause {
    Cause::BufferTooSmall
}

fn seal_cause(e: SealError) -> Cause {
    match e {
        SealError::Exhausted => Cause::Exhausted,
        _ => Cause::BufferTooSmall,
    }
}

fn dtls_cause(e: tutk_dtls::Error) -> Cause {
    use tutk_dtls::{Error, Phase};
    match e {
        Error::BufferTooSmall => Cause::BufferTooSmall,
        Error::SequenceExhausted => Cause::Exhausted,
        Error::HandshakeTimeout {
            after: Phase::Hello,
        } => Cause::Refused,
        Error::HandshakeTimeout {
            after: Phase::Finished,
        }
        | Error::PeerAlert(20 | 51) => Cause::WrongKey,
        other => Cause::Secure(other),
    }
}

pub(crate) fn av_cause(e: tutk_av::Error) -> Cause {
    match e {
        tutk_av::Error::LoginTimeout => Cause::LoginTimeout,
        _ => Cause::BufferTooSmall,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn used_up_record_numbers_have_a_cause_of_their_own() {
        assert_eq!(seal_cause(SealError::Exhausted), Cause::Exhausted);
        let handshake = tutk_dtls::Error::SequenceExhausted;
        assert_eq!(dtls_cause(handshake), Cause::Exhausted);
    }

    #[test]
    fn whatever_does_not_fit_has_the_cause_that_names_the_buffer() {
        let causes = [
            seal_cause(tutk_core::Full.into()),
            dtls_cause(tutk_dtls::Error::BufferTooSmall),
            av_cause(tutk_av::Error::Full),
        ];
        assert_eq!(causes, [Cause::BufferTooSmall; 3]);
    }
}
