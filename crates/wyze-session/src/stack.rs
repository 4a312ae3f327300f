//! The order of the layers, the same for both roles: IOTC around the association (DTLS around AV) of the main channel.
//!
//! ```text
//!   receive:  datagram ─► iotc.handle_datagram ─► payload put back, with its channel ─► main.receive
//!   transmit: who may speak first: IOTC control, DTLS flights and alerts, AV messages, then the role's own
//! ```

use tutk_core::{Cx, Datagram, Instant, Layer, TxBuf, earlier};
use tutk_dtls::CipherSuite;
#[cfg(feature = "client")]
use tutk_iotc::wire::VERSION_SESSION25;
use tutk_iotc::{Framing, MAIN_CHANNEL, WrapError};

use tutk_av::Generation;

use crate::association::{Arrived, Association, AvRole, Begin, DtlsRole};
use crate::event::Cause;

/// How far the layers are up. Later stages include the earlier ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Stage {
    /// No IOTC session yet.
    Searching,
    /// IOTC session open; DTLS handshake under way, or a login without DTLS.
    Securing,
    /// DTLS is up, or the camera is known to speak none; AV messages flow.
    Secured,
    /// Saying goodbye.
    Closing,
    /// Nothing is sent or read any more.
    Closed,
}

/// What one unit of a datagram held.
pub(crate) enum Unit<'p> {
    #[cfg(feature = "client")]
    Found {
        from: core::net::SocketAddr,
        framing: Framing,
    },
    Open,
    Secured(CipherSuite),
    Plain,
    /// An AV message of the main channel, to be [read](Association::read).
    Message(&'p mut [u8]),
}

/// Either role of the IOTC layer.
pub(crate) trait IotcRole:
    for<'p> Layer<Event<'p> = tutk_iotc::Event<'p>, Error = tutk_iotc::Error>
{
    fn wrap(&mut self, channel: u8, tx: &mut TxBuf<'_>) -> Result<(), WrapError>;
    fn authenticated(&mut self, from: core::net::SocketAddr);
    fn set_secured(&mut self, secured: bool);
    fn set_encrypted(&mut self, encrypted: bool);
    /// The protocol version of a peer that might speak no DTLS; `None` when it does.
    fn peer_version(&self) -> Option<u8>;
    /// Whether the session is open.
    fn is_open(&self) -> bool;
    fn framing(&self) -> Option<Framing>;
    fn close(&mut self);
}

macro_rules! iotc_role {
    ($ty:ty, $is_open:ident, $peer_version:expr) => {
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
            fn set_encrypted(&mut self, encrypted: bool) {
                <$ty>::set_encrypted(self, encrypted);
            }
            fn peer_version(&self) -> Option<u8> {
                $peer_version(self)
            }
            fn is_open(&self) -> bool {
                <$ty>::$is_open(self)
            }
            fn framing(&self) -> Option<Framing> {
                <$ty>::framing(self)
            }
            fn close(&mut self) {
                <$ty>::close(self);
            }
        }
    };
}

#[cfg(feature = "client")]
iotc_role!(tutk_iotc::Client, is_open, tutk_iotc::Client::peer_version);
#[cfg(feature = "camera")]
iotc_role!(tutk_iotc::Device, is_bound, |_| None);

/// What is done where a camera does not speak DTLS.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Plain {
    /// Nothing: DTLS or no session.
    #[cfg(feature = "client")]
    Refused,
    /// It is spoken to in the generation that it answers in.
    #[cfg(feature = "client")]
    Allowed,
    /// We are such a camera.
    #[cfg(feature = "camera")]
    Spoken(Generation),
}

/// How often close_notify is said where nothing else says goodbye.
const GOODBYES: u8 = 3;

/// The layers of one session.
#[derive(Debug)]
pub(crate) struct Stack<I, D, A> {
    pub(crate) stage: Stage,
    pub(crate) iotc: I,
    pub(crate) main: Association<D, A>,
    plain: Plain,
    /// Times that close_notify is to be said once more.
    goodbyes: u8,
}

impl<I: IotcRole, D: DtlsRole, A: AvRole> Stack<I, D, A> {
    pub(crate) fn new(iotc: I, dtls: D, av: A, plain: Plain) -> Self {
        Self {
            stage: Stage::Searching,
            iotc,
            main: Association::new(MAIN_CHANNEL, dtls, av),
            plain,
            goodbyes: 0,
        }
    }

    /// From now on DTLS or no session.
    #[cfg(feature = "client")]
    pub(crate) fn refuse_plain(&mut self) {
        self.plain = Plain::Refused;
    }

    /// The generation of a camera that does not speak DTLS, once that is known.
    #[cfg(any(feature = "client", feature = "talk"))]
    pub(crate) fn plain(&self) -> Option<Generation> {
        self.main.plain().filter(|_| self.stage == Stage::Secured)
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
            #[cfg(feature = "client")]
            tutk_iotc::Event::Found { from, framing } => Some(Unit::Found { from, framing }),
            // Only who searches finds.
            #[cfg(not(feature = "client"))]
            tutk_iotc::Event::Found { .. } => None,
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
        let Some(arrived) = self.main.receive(cx, input)? else {
            return Ok(None);
        };
        if self.main.plain().is_none() {
            self.iotc.authenticated(input.from());
        }
        match arrived {
            Arrived::Secured(suite) => {
                self.iotc.set_secured(true);
                self.stage = Stage::Secured;
                Ok(Some(Unit::Secured(suite)))
            }
            Arrived::Plain => {
                self.stage = Stage::Secured;
                Ok(Some(Unit::Plain))
            }
            Arrived::Message(message) => Ok(Some(Unit::Message(message))),
            Arrived::Goodbye => Err(self.peer_closed()),
        }
    }

    /// What it means that the peer says goodbye now: one that could not read our Finished knows another key.
    fn peer_closed(&self) -> Cause {
        if self.stage == Stage::Securing && self.main.dtls.phase() == tutk_dtls::Phase::Finished {
            Cause::WrongKey
        } else {
            Cause::Peer
        }
    }

    /// The IOTC session is open: the DTLS handshake may begin, or what stands for it. A client's time limit counts from
    /// now, not from when the search began.
    fn open(&mut self, cx: &mut Cx<'_>) {
        let begin = match (self.plain, self.iotc.peer_version()) {
            #[cfg(feature = "camera")]
            (Plain::Spoken(generation), _) if generation.is_plain() => Begin::Plain {
                generation,
                known: true,
            },
            #[cfg(feature = "camera")]
            (Plain::Spoken(_), _) => Begin::Dtls,
            #[cfg(feature = "client")]
            (Plain::Allowed, Some(..VERSION_SESSION25)) => Begin::Plain {
                generation: Generation::Session16,
                known: false,
            },
            #[cfg(feature = "client")]
            (Plain::Allowed, Some(_)) => Begin::Either,
            #[cfg(feature = "client")]
            (Plain::Allowed | Plain::Refused, _) => Begin::Dtls,
        };
        self.main.begin(cx, begin);
        self.stage = match self.main.plain() {
            Some(_) if matches!(begin, Begin::Plain { known: true, .. }) => Stage::Secured,
            _ => Stage::Securing,
        };
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
            let secured = self.stage == Stage::Secured;
            self.main
                .handle_timeout(cx, secured)
                .map_err(|cause| self.explain(cause))?;
        }
        Ok(false)
    }

    /// A camera that is known not to speak DTLS, and is to be spoken to in nothing else, was not silent for another
    /// reason.
    fn explain(&self, cause: Cause) -> Cause {
        match (self.plain, self.iotc.peer_version()) {
            #[cfg(feature = "client")]
            (Plain::Refused, Some(..VERSION_SESSION25)) if cause == Cause::Refused => {
                Cause::Unencrypted
            }
            _ => cause,
        }
    }

    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        let iotc = self.iotc.poll_timeout();
        match self.stage {
            Stage::Searching => iotc,
            Stage::Securing | Stage::Secured => {
                let main = self.main.poll_timeout(self.stage == Stage::Secured);
                earlier(iotc, main)
            }
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
        let secured = self.stage == Stage::Secured;
        self.main.transmit(cx, &mut self.iotc, tx, secured)
    }

    /// close_notify while the association lives, then IOTC close, then nothing more for ever.
    fn transmit_closing(&mut self, cx: &mut Cx<'_>, tx: &mut TxBuf<'_>) -> bool {
        if self.main.transmit_dtls(cx, &mut self.iotc, tx) == Ok(true) {
            if cfg!(feature = "cc51") && self.goodbyes > 0 {
                self.goodbyes -= 1;
                self.main.close();
            }
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
    #[cfg(feature = "camera")]
    pub(crate) fn reserve(&self, tx: &mut TxBuf<'_>) -> Result<(), Cause> {
        self.main.reserve::<I>(tx)
    }

    /// Encrypts the AV message in `tx` and wraps it for the main channel.
    pub(crate) fn seal(&mut self, cx: &mut Cx<'_>, tx: &mut TxBuf<'_>) -> Result<bool, Cause> {
        self.main.seal(cx, &mut self.iotc, tx)?;
        Ok(true)
    }

    /// Begins to close: what is left to say goes out by [`transmit`](Self::transmit).
    pub(crate) fn close(&mut self) {
        match self.stage {
            // While searching, the device may have reserved a place already.
            Stage::Searching | Stage::Securing | Stage::Secured => {
                self.main.close();
                // No close of CC51 is known, and whoever holds a place for us is to hear that it is free.
                if cfg!(feature = "cc51") {
                    self.goodbyes = match self.iotc.framing() {
                        Some(Framing::Cc51) => GOODBYES - 1,
                        _ => 0,
                    };
                }
                self.iotc.close();
                self.stage = Stage::Closing;
            }
            Stage::Closing | Stage::Closed => {}
        }
    }
}

/// What an IOTC error means at this stage.
fn iotc_cause(stage: Stage) -> impl Fn(tutk_iotc::Error) -> Cause {
    move |e| match e {
        tutk_iotc::Error::NoAnswer => Cause::NoAnswer,
        tutk_iotc::Error::OtherDevice => Cause::OtherDevice,
        tutk_iotc::Error::NotConfirmed => Cause::Refused,
        tutk_iotc::Error::BufferTooSmall => Cause::BufferTooSmall,
        #[cfg(feature = "plain")]
        tutk_iotc::Error::PeerClosed => Cause::Peer,
        // It answered the search and nothing since.
        _ if stage <= Stage::Securing => Cause::Refused,
        _ => Cause::Lost,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn silence_is_a_refusal_until_the_session_is_secured_and_a_loss_afterwards() {
        use tutk_iotc::Error;
        for stage in [Stage::Searching, Stage::Securing, Stage::Secured] {
            let late = stage == Stage::Secured;
            let lost = if late { Cause::Lost } else { Cause::Refused };
            for (error, cause) in [
                (Error::NoAnswer, Cause::NoAnswer),
                (Error::OtherDevice, Cause::OtherDevice),
                (Error::NotConfirmed, Cause::Refused),
                (Error::BufferTooSmall, Cause::BufferTooSmall),
                (Error::AliveTimeout, lost),
                (Error::PeerClosed, Cause::Peer),
            ] {
                assert_eq!(iotc_cause(stage)(error), cause, "{stage:?}");
            }
        }
    }
}
