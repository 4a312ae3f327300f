//! The order of the layers, the same for both roles: IOTC around DTLS around AV, on the main channel.
//!
//! ```text
//!   receive:  datagram ─► iotc.handle_datagram ─► payload put back ─► dtls.handle_datagram ─► plaintext ─► av.handle_datagram
//!   transmit: av.poll_transmit / write_ioctl / media ─► dtls.seal ─► iotc.wrap ─► socket     (one buffer, in place)
//!             who may speak first: IOTC control, DTLS flights and alerts, AV messages, then the role's own
//! ```

use tutk_core::{Cx, Datagram, Instant, Layer, TxBuf};
use tutk_dtls::{CipherSuite, SealError};
use tutk_iotc::{Framing, MAIN_CHANNEL, WrapError};

use crate::event::Cause;

/// How far the layers are up. Later stages include the earlier ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Stage {
    /// No IOTC session yet.
    Searching,
    /// IOTC session open, DTLS handshake under way.
    Securing,
    /// DTLS is up, AV messages flow.
    Secured,
    /// Saying goodbye.
    Closing,
    /// Nothing is sent or read any more.
    Closed,
}

/// What one unit of a datagram held.
pub(crate) enum Unit<'p> {
    Found {
        from: core::net::SocketAddr,
        framing: Framing,
    },
    Open,
    Secured(CipherSuite),
    Av(tutk_av::Event<'p>),
}

/// Either role of the IOTC layer.
pub(crate) trait IotcRole:
    for<'p> Layer<Event<'p> = tutk_iotc::Event<'p>, Error = tutk_iotc::Error>
{
    fn wrap(&mut self, channel: u8, tx: &mut TxBuf<'_>) -> Result<(), WrapError>;
    fn authenticated(&mut self, from: core::net::SocketAddr);
    fn set_secured(&mut self, secured: bool);
    /// Whether the session is open.
    fn is_open(&self) -> bool;
    fn close(&mut self);
}

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

macro_rules! iotc_role {
    ($ty:ty, $is_open:ident) => {
        impl IotcRole for $ty {
            fn wrap(&mut self, channel: u8, tx: &mut TxBuf<'_>) -> Result<(), WrapError> {
                <$ty>::wrap(self, channel, tx)
            }
            fn authenticated(&mut self, from: core::net::SocketAddr) {
                <$ty>::authenticated(self, from);
            }
            fn set_secured(&mut self, secured: bool) {
                <$ty>::set_secured(self, secured);
            }
            fn is_open(&self) -> bool {
                <$ty>::$is_open(self)
            }
            fn close(&mut self) {
                <$ty>::close(self);
            }
        }
    };
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

#[cfg(feature = "client")]
iotc_role!(tutk_iotc::Client, is_open);
#[cfg(feature = "camera")]
iotc_role!(tutk_iotc::Device, is_bound);
#[cfg(feature = "client")]
dtls_role!(tutk_dtls::Client<'_>);
#[cfg(feature = "camera")]
dtls_role!(tutk_dtls::Server<'_>);
impl AvRole for tutk_av::Initiator<'_> {}
impl AvRole for tutk_av::Responder<'_> {}

/// The three layers of one session.
#[derive(Debug)]
pub(crate) struct Stack<I, D, A> {
    pub(crate) stage: Stage,
    pub(crate) iotc: I,
    pub(crate) dtls: D,
    pub(crate) av: A,
}

impl<I: IotcRole, D: DtlsRole, A: AvRole> Stack<I, D, A> {
    pub(crate) fn new(iotc: I, dtls: D, av: A) -> Self {
        Self {
            stage: Stage::Searching,
            iotc,
            dtls,
            av,
        }
    }

    /// Reads the next unit of `input`; `None` when it held nothing to tell. Call again until `input` is empty.
    pub(crate) fn receive<'p>(
        &mut self,
        cx: &mut Cx<'_>,
        input: &mut Datagram<'p>,
    ) -> Result<Option<Unit<'p>>, Cause> {
        if self.stage >= Stage::Closing {
            input.take_all();
            return Ok(None);
        }
        match input.channel() {
            None => self.receive_packet(cx, input),
            Some(MAIN_CHANNEL) if self.stage > Stage::Searching => self.receive_record(cx, input),
            Some(_) => {
                input.take_all();
                Ok(None)
            }
        }
    }

    fn receive_packet<'p>(
        &mut self,
        cx: &mut Cx<'_>,
        input: &mut Datagram<'p>,
    ) -> Result<Option<Unit<'p>>, Cause> {
        let Some(event) = self
            .iotc
            .handle_datagram(cx, input)
            .map_err(iotc_cause(self.stage))?
        else {
            return Ok(None);
        };
        Ok(match event {
            tutk_iotc::Event::Found { from, framing } => Some(Unit::Found { from, framing }),
            tutk_iotc::Event::Open { .. } => {
                self.open(cx);
                Some(Unit::Open)
            }
            tutk_iotc::Event::Data { channel, payload } => {
                input.replace(payload);
                input.set_channel(channel);
                None
            }
            tutk_iotc::Event::Closed => return Err(self.peer_closed()),
        })
    }

    fn receive_record<'p>(
        &mut self,
        cx: &mut Cx<'_>,
        input: &mut Datagram<'p>,
    ) -> Result<Option<Unit<'p>>, Cause> {
        let Some(event) = self.dtls.handle_datagram(cx, input).map_err(dtls_cause)? else {
            return Ok(None);
        };
        // Only the holder of the key can have sent what led to any of these events.
        self.iotc.authenticated(input.from());
        match event {
            tutk_dtls::Event::Connected { suite } => {
                self.iotc.set_secured(true);
                self.stage = Stage::Secured;
                Ok(Some(Unit::Secured(suite)))
            }
            tutk_dtls::Event::Data(plaintext) => {
                let mut message = Datagram::new(input.from(), plaintext);
                let event = self.av.handle_datagram(cx, &mut message);
                Ok(event.map_err(av_cause)?.map(Unit::Av))
            }
            tutk_dtls::Event::Closed => Err(self.peer_closed()),
        }
    }

    /// What it means that the peer says goodbye now: one that could not read our Finished knows another key.
    fn peer_closed(&self) -> Cause {
        if self.stage == Stage::Securing && self.dtls.phase() == tutk_dtls::Phase::Finished {
            Cause::WrongKey
        } else {
            Cause::Peer
        }
    }

    /// The IOTC session is open: the DTLS handshake may begin.
    fn open(&mut self, cx: &mut Cx<'_>) {
        // Its time limit counts from now, not from when the search began.
        self.dtls.reset(cx);
        self.stage = Stage::Securing;
    }

    /// Does what is due. `true`: the IOTC session has opened, because its last confirmation never came.
    pub(crate) fn handle_timeout(&mut self, cx: &mut Cx<'_>) -> Result<bool, Cause> {
        if self.stage < Stage::Closed {
            self.iotc
                .handle_timeout(cx)
                .map_err(iotc_cause(self.stage))?;
        }
        if self.stage == Stage::Searching && self.iotc.is_open() {
            self.open(cx);
            return Ok(true);
        }
        if matches!(self.stage, Stage::Securing | Stage::Secured) {
            self.dtls.handle_timeout(cx).map_err(dtls_cause)?;
        }
        if self.stage == Stage::Secured {
            self.av.handle_timeout(cx).map_err(av_cause)?;
        }
        Ok(false)
    }

    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        let iotc = self.iotc.poll_timeout();
        let dtls = self.dtls.poll_timeout();
        let av = self.av.poll_timeout();
        match self.stage {
            Stage::Searching => iotc,
            Stage::Securing => [iotc, dtls].into_iter().flatten().min(),
            Stage::Secured => [iotc, dtls, av].into_iter().flatten().min(),
            Stage::Closing | Stage::Closed => None,
        }
    }

    /// Writes what a layer itself wants to send. When it answers `false`, `tx` is empty with the room of all layers
    /// reserved if AV messages flow: the role may append one and [`seal`](Self::seal) it.
    pub(crate) fn transmit(&mut self, cx: &mut Cx<'_>, tx: &mut TxBuf<'_>) -> Result<bool, Cause> {
        match self.stage {
            Stage::Closed => return Ok(false),
            Stage::Closing => return Ok(self.transmit_closing(cx, tx)),
            _ => {}
        }
        if self
            .iotc
            .poll_transmit(cx, tx)
            .map_err(iotc_cause(self.stage))?
        {
            return Ok(true);
        }
        if self.stage == Stage::Searching {
            return Ok(false);
        }
        if self.transmit_dtls(cx, tx)? {
            return Ok(true);
        }
        if self.stage < Stage::Secured {
            return Ok(false);
        }
        self.reserve(tx)?;
        if self.av.poll_transmit(cx, tx).map_err(av_cause)? {
            return self.seal(cx, tx);
        }
        Ok(false)
    }

    fn transmit_dtls(&mut self, cx: &mut Cx<'_>, tx: &mut TxBuf<'_>) -> Result<bool, Cause> {
        tx.clear();
        tx.reserve(I::HEADROOM, I::TAILROOM).map_err(too_small)?;
        if self.dtls.poll_transmit(cx, tx).map_err(dtls_cause)? {
            return self.wrap(tx);
        }
        Ok(false)
    }

    /// close_notify while the association lives, then IOTC close, then nothing more for ever.
    fn transmit_closing(&mut self, cx: &mut Cx<'_>, tx: &mut TxBuf<'_>) -> bool {
        if self.transmit_dtls(cx, tx) == Ok(true) {
            return true;
        }
        tx.clear();
        if self.iotc.poll_transmit(cx, tx) == Ok(true) {
            return true;
        }
        self.stage = Stage::Closed;
        false
    }

    /// Empties `tx` and keeps room for the headers and trailers of IOTC and DTLS.
    pub(crate) fn reserve(&self, tx: &mut TxBuf<'_>) -> Result<(), Cause> {
        tx.clear();
        tx.reserve(I::HEADROOM + D::HEADROOM, I::TAILROOM + D::TAILROOM)
            .map_err(too_small)
    }

    /// Encrypts the AV message in `tx` and wraps it for the main channel.
    pub(crate) fn seal(&mut self, cx: &mut Cx<'_>, tx: &mut TxBuf<'_>) -> Result<bool, Cause> {
        self.dtls.seal(cx, tx).map_err(|e| match e {
            SealError::Exhausted => Cause::Exhausted,
            _ => Cause::BufferTooSmall,
        })?;
        self.wrap(tx)
    }

    fn wrap(&mut self, tx: &mut TxBuf<'_>) -> Result<bool, Cause> {
        self.iotc
            .wrap(MAIN_CHANNEL, tx)
            .map_err(|_| Cause::BufferTooSmall)?;
        Ok(true)
    }

    /// Begins to close: what is left to say goes out by [`transmit`](Self::transmit).
    pub(crate) fn close(&mut self) {
        match self.stage {
            // While searching, the device may have reserved a place already.
            Stage::Searching | Stage::Securing | Stage::Secured => {
                self.dtls.close();
                self.iotc.close();
                self.stage = Stage::Closing;
            }
            Stage::Closing | Stage::Closed => {}
        }
    }
}

fn too_small(_: tutk_core::Full) -> Cause {
    Cause::BufferTooSmall
}

/// What an IOTC error means at this stage.
fn iotc_cause(stage: Stage) -> impl Fn(tutk_iotc::Error) -> Cause {
    move |e| match e {
        tutk_iotc::Error::NoAnswer => Cause::NoAnswer,
        tutk_iotc::Error::OtherDevice => Cause::OtherDevice,
        tutk_iotc::Error::NotConfirmed => Cause::Refused,
        tutk_iotc::Error::BufferTooSmall => Cause::BufferTooSmall,
        // It answered the search and nothing since.
        _ if stage <= Stage::Securing => Cause::Refused,
        _ => Cause::Lost,
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

fn av_cause(e: tutk_av::Error) -> Cause {
    match e {
        tutk_av::Error::LoginTimeout => Cause::LoginTimeout,
        _ => Cause::BufferTooSmall,
    }
}
