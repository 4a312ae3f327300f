//! One DTLS association and the AV messages inside, on one channel of an IOTC session.
//!
//! ```text
//!   receive:  records ─► dtls.handle_datagram ─► plaintext ─► av.handle_datagram
//!   transmit: av.poll_transmit / write_ioctl / media ─► seal: dtls.seal ─► iotc.wrap(channel)     (one buffer, in place)
//! ```

use tutk_core::{Cx, Datagram, Instant, Layer, TxBuf};
use tutk_dtls::{CipherSuite, SealError};

use crate::event::Cause;
use crate::stack::IotcRole;

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
impl AvRole for tutk_av::Initiator<'_> {}
impl AvRole for tutk_av::Responder<'_> {}

/// What a record held. Only the holder of the key can have sent it.
pub(crate) enum Arrived<'p> {
    Secured(CipherSuite),
    /// An AV message, and what it told.
    Message(Option<tutk_av::Event<'p>>),
    /// close_notify.
    Goodbye,
}

/// DTLS and AV on one channel.
#[derive(Debug)]
pub(crate) struct Association<D, A> {
    channel: u8,
    pub(crate) dtls: D,
    pub(crate) av: A,
}

impl<D: DtlsRole, A: AvRole> Association<D, A> {
    pub(crate) const fn new(channel: u8, dtls: D, av: A) -> Self {
        Self { channel, dtls, av }
    }

    /// Reads records of `input` up to the next that tells something; `None` when it is used up.
    pub(crate) fn receive<'p>(
        &mut self,
        cx: &mut Cx<'_>,
        input: &mut Datagram<'p>,
    ) -> Result<Option<Arrived<'p>>, Cause> {
        let Some(event) = self.dtls.handle_datagram(cx, input).map_err(dtls_cause)? else {
            return Ok(None);
        };
        Ok(Some(match event {
            tutk_dtls::Event::Connected { suite } => Arrived::Secured(suite),
            tutk_dtls::Event::Data(plaintext) => {
                let mut message = Datagram::new(input.from(), plaintext);
                let event = self.av.handle_datagram(cx, &mut message);
                Arrived::Message(event.map_err(av_cause)?)
            }
            tutk_dtls::Event::Closed => Arrived::Goodbye,
        }))
    }

    /// Does what is due; AV messages flow only once `secured`.
    pub(crate) fn handle_timeout(&mut self, cx: &mut Cx<'_>, secured: bool) -> Result<(), Cause> {
        self.dtls.handle_timeout(cx).map_err(dtls_cause)?;
        if secured {
            self.av.handle_timeout(cx).map_err(av_cause)?;
        }
        Ok(())
    }

    pub(crate) fn poll_timeout(&self, secured: bool) -> Option<Instant> {
        let av = self.av.poll_timeout().filter(|_| secured);
        self.dtls.poll_timeout().into_iter().chain(av).min()
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
        if !secured {
            return Ok(false);
        }
        self.reserve::<I>(tx)?;
        if self.av.poll_transmit(cx, tx).map_err(av_cause)? {
            self.seal(cx, iotc, tx)?;
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
        tx.reserve(I::HEADROOM, I::TAILROOM).map_err(too_small)?;
        if self.dtls.poll_transmit(cx, tx).map_err(dtls_cause)? {
            self.wrap(iotc, tx)?;
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

    /// Encrypts the AV message in `tx` and wraps it for this channel.
    pub(crate) fn seal<I: IotcRole>(
        &mut self,
        cx: &mut Cx<'_>,
        iotc: &mut I,
        tx: &mut TxBuf<'_>,
    ) -> Result<(), Cause> {
        self.dtls.seal(cx, tx).map_err(|e| match e {
            SealError::Exhausted => Cause::Exhausted,
            _ => Cause::BufferTooSmall,
        })?;
        self.wrap(iotc, tx)
    }

    fn wrap<I: IotcRole>(&self, iotc: &mut I, tx: &mut TxBuf<'_>) -> Result<(), Cause> {
        iotc.wrap(self.channel, tx)
            .map_err(|_| Cause::BufferTooSmall)
    }
}

fn too_small(_: tutk_core::Full) -> Cause {
    Cause::BufferTooSmall
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

fn av_cause(e: tutk_av::Error) -> Cause {
    match e {
        tutk_av::Error::LoginTimeout => Cause::LoginTimeout,
        _ => Cause::BufferTooSmall,
    }
}
