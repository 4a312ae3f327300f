//! Parse, emit, parse of packets in both framings.

use tutk_iotc::wire::{
    self, Control, DataHeader, Direction, Packet, Search, SearchReply, Session, cc51,
};
use zerocopy::IntoBytes;

/// What a packet of either framing says.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Said {
    Search {
        uid: [u8; 20],
        sid: [u8; 8],
        stage: u8,
    },
    SearchReply {
        uid: [u8; 20],
        sid: [u8; 8],
    },
    Session {
        sender: Direction,
        uid: [u8; 20],
        sid: [u8; 8],
    },
    Alive(Direction, [u8; 8]),
    Close(Direction, [u8; 8]),
    Data {
        direction: Direction,
        mode: u8,
        sequence: u16,
        channel: u8,
        sid: [u8; 8],
        payload: Vec<u8>,
    },
    Step {
        step: u16,
        ticket: [u8; 2],
        sid: [u8; 8],
        mac: [u8; cc51::MAC_LEN],
    },
    Counter {
        counter: u32,
        sid: [u8; 8],
        mac: [u8; cc51::MAC_LEN],
    },
    Ticketed {
        channel: u8,
        ticket: [u8; 2],
        sid: [u8; 8],
        payload: Vec<u8>,
        mac: [u8; cc51::MAC_LEN],
    },
}

impl Said {
    /// `None` for what we never write: unknown commands, and answers without a session id.
    fn of(packet: &Packet<'_>) -> Option<Self> {
        Some(match packet {
            Packet::Search(head) => Self::Search {
                uid: head.uid,
                sid: head.sid,
                stage: head.stage,
            },
            Packet::SearchReply { uid, sid, .. } => Self::SearchReply {
                uid: **uid,
                sid: *(*sid)?,
            },
            Packet::Session(s) => Self::Session {
                sender: Direction::ToDevice,
                uid: s.uid,
                sid: s.sid,
            },
            Packet::SessionReply(s) => Self::Session {
                sender: Direction::ToClient,
                uid: s.uid,
                sid: s.sid,
            },
            Packet::Alive { direction, token } => Self::Alive(*direction, **token),
            Packet::Close { direction, sid } => Self::Close(*direction, **sid),
            Packet::Data {
                direction,
                header,
                payload,
            } => Self::Data {
                direction: *direction,
                // Bit 0 decides how much is scrambled.
                mode: header.header.mode & 1,
                sequence: header.header.sequence.get(),
                channel: header.header.channel,
                sid: header.sid,
                payload: payload.to_vec(),
            },
            Packet::Cc51(packet) => return Self::of_cc51(packet),
            _ => return None,
        })
    }

    fn of_cc51(packet: &cc51::Packet<'_>) -> Option<Self> {
        Some(match packet {
            cc51::Packet::Search { body, mac } => Self::Step {
                step: body.step.get(),
                ticket: body.ticket,
                sid: body.sid,
                mac: **mac,
            },
            cc51::Packet::Alive { body, mac } => Self::Counter {
                counter: body.counter.get(),
                sid: body.sid,
                mac: **mac,
            },
            cc51::Packet::Data {
                header,
                payload,
                mac,
            } => Self::Ticketed {
                channel: header.channel,
                ticket: header.ticket,
                sid: header.sid,
                payload: payload.to_vec(),
                mac: **mac,
            },
            _ => return None,
        })
    }

    /// The same in our words, as it goes over the wire.
    fn write(&self) -> Vec<u8> {
        let older = |parts: &[&[u8]]| {
            let mut bytes = parts.concat();
            tutk_transcode::encode(&mut bytes);
            bytes
        };
        match self {
            Self::Search { uid, sid, stage } => {
                older(&[Search::new(*uid, *sid, *stage, *b"vW28cYGv").as_bytes()])
            }
            Self::SearchReply { uid, sid } => older(&[SearchReply::new(*uid, *sid).as_bytes()]),
            Self::Session { sender, uid, sid } => {
                older(&[Session::new(*sender, *uid, *sid).as_bytes()])
            }
            Self::Alive(direction, token) => {
                older(&[Control::alive(*direction, *token).as_bytes()])
            }
            Self::Close(direction, sid) => older(&[Control::close(*direction, *sid).as_bytes()]),
            Self::Data {
                direction,
                mode,
                sequence,
                channel,
                sid,
                payload,
            } => {
                let secure = *mode == 1;
                let len = payload.len();
                let header = DataHeader::new(*direction, secure, *sequence, *channel, *sid, len);
                older(&[header.expect("it came in one").as_bytes(), payload])
            }
            Self::Step {
                step,
                ticket,
                sid,
                mac,
            } => [cc51::SearchBody::new(*step, *ticket, *sid).as_bytes(), mac].concat(),
            Self::Counter { counter, sid, mac } => {
                [cc51::AliveBody::new(*counter, *sid).as_bytes(), mac].concat()
            }
            Self::Ticketed {
                channel,
                ticket,
                sid,
                payload,
                mac,
            } => {
                let header = cc51::DataHeader::new(*channel, *ticket, *sid, payload.len());
                let header = header.expect("it came in one");
                [header.as_bytes(), payload, mac].concat()
            }
        }
    }

    /// Whose session it belongs to, where a server may ask for that.
    fn session(&self) -> Option<[u8; 8]> {
        match self {
            Self::Alive(Direction::ToDevice, sid) | Self::Close(Direction::ToDevice, sid) => {
                Some(*sid)
            }
            Self::Data {
                direction: Direction::ToDevice,
                sid,
                ..
            }
            | Self::Counter { sid, .. }
            | Self::Ticketed { sid, .. } => Some(*sid),
            _ => None,
        }
    }
}

/// A packet of either framing, as it came over the wire.
pub(super) fn round_trip(bytes: &[u8]) {
    let mut clear = bytes.to_vec();
    let Some(read) = wire::open(&mut clear).ok().as_ref().and_then(Said::of) else {
        return;
    };
    let mut written = read.write();
    assert_eq!(wire::session_of(&written), read.session());
    let again = wire::open(&mut written).expect("what we write we read");
    assert_eq!(Said::of(&again), Some(read));
}
