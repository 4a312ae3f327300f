//! What the sender says about a frame (`docs/protocol.md` §2.8).

use tutk_av::Codec;

use crate::av::{APART, Last};
use crate::cursor::Cursor;
use crate::sessions::Association;
use crate::tree::{Layer, Severity};

/// Reads the FRAMEINFO at `last`.
pub(crate) fn dissect(
    datagram: &[u8],
    last: &Last,
    show: bool,
    association: &mut Association,
) -> Layer {
    let so_far = association.went_on(&last.part);
    let mut c = Cursor::new("frameinfo", datagram, last.from, last.to);
    let summary = info_fields(&mut c, last, show, so_far);
    if c.layer.length < last.to.saturating_sub(last.from) {
        let (offset, length) = (c.layer.offset, c.layer.length);
        c.layer.expert(
            Severity::Error,
            offset,
            length,
            "truncated: FRAMEINFO is cut off",
        );
    }
    c.finish(summary.unwrap_or_else(|| "cut off".to_owned()))
}

fn info_fields(c: &mut Cursor<'_>, last: &Last, show: bool, so_far: Option<u64>) -> Option<String> {
    let codec = Codec::from(c.code("codec", 2)? as u16);
    let name = format!("{codec:?}");
    c.note(&*name);
    if matches!(codec, Codec::Unknown(_)) {
        c.blame(Severity::Warning, "this codec is not known");
    } else if codec.is_video() == last.part.audio {
        c.blame(
            Severity::Warning,
            "the packet's type says the other of video and audio",
        );
    }
    let flags = c.code("flags", 1)?;
    if codec.is_video() {
        c.note(if flags & 1 == 1 { "key frame" } else { "" });
    }
    c.le("camera", 1)?;
    c.le("viewers", 1)?;
    c.le("fps", 1)?;
    c.le("frame_size", 1)?;
    c.le("bitrate", 1)?;
    c.note("kilobytes a second");
    if c.left() < 8 {
        return Some(name);
    }
    let micros = c.le("micros", 4)?;
    if c.left() == 4 {
        c.le("talk_millis", 4)?;
        return Some(name);
    }
    if micros > 999_999 {
        c.blame(Severity::Warning, "more microseconds than a second has");
    }
    c.le("seconds", 4)?;
    if c.left() < 8 {
        return Some(name);
    }
    let length = c.le("length", 4)?;
    if let Some(bytes) = so_far
        && bytes != length
    {
        c.blame(
            Severity::Error,
            format!("the frame is said to have {length} bytes, {bytes} came"),
        );
    }
    let number = c.le("number", 4)?;
    if last.part.counted && number != last.part.frame {
        c.blame(
            Severity::Note,
            format!(
                "the packet's header counts the frame as {}",
                last.part.frame
            ),
        );
    }
    if c.left() >= 16 {
        c.secret("mac", 12, show)?;
        c.code("token", 4)?;
    }
    if c.left() == 8 {
        for name in ["face_x", "face_y", "face_width", "face_height"] {
            c.le(name, 2)?;
        }
    }
    Some(format!("{name}, {length} bytes"))
}

/// The FRAMEINFO of which this packet holds the end.
pub(crate) fn part(
    datagram: &[u8],
    last: &Last,
    begins: bool,
    show: bool,
    association: &mut Association,
) -> Option<Layer> {
    let bytes = datagram.get(last.from..last.to)?;
    let frame = last.part.frame;
    if begins {
        association.went_on(&last.part);
        association.pending.info_begins(frame, bytes);
        return None;
    }
    let info = association.pending.info_ends(frame, bytes)?;
    let joined = Last {
        from: 0,
        to: info.len(),
        ..*last
    };
    let mut layer = dissect(&info, &joined, show, association);
    layer.summary += &format!(", put together from two packets{APART}");
    Some(layer)
}

/// Whether FRAMEINFO begins with the code of a video codec.
pub(crate) fn is_video(info: &[u8]) -> bool {
    info.first_chunk::<2>()
        .is_some_and(|code| Codec::from(u16::from_le_bytes(*code)).is_video())
}
