//! MP4: plain (index in `moov`) and fragmented (`moof` per fragment). A fragmented file that was cut off in the middle
//! of a fragment is read up to there.

use shiguredo_mp4::aux::SampleTableAccessor;
use shiguredo_mp4::boxes::{HdlrBox, MoofBox, MoovBox, TrafBox, TrakBox, TrexBox, TrunBox};
use shiguredo_mp4::{BoxHeader, BoxType, Decode};

use super::annexb::camera_frame;
use super::entry::{Media, audio_media, name, video_media};
use super::{ClipError, Parts, Timed, Track};
use crate::AudioFormat;

/// Length of the frames into which PCM without packets is cut, in microseconds.
const PCM_FRAME_US: u64 = 20_000;

/// Does the first box carry a type that an MP4 or QuickTime file starts with?
pub(super) fn is_mp4(bytes: &[u8]) -> bool {
    bytes.get(4..8).is_some_and(|kind| {
        [
            b"ftyp", b"styp", b"moov", b"moof", b"mdat", b"free", b"skip", b"wide",
        ]
        .iter()
        .any(|known| kind == *known)
    })
}

pub(super) fn read(bytes: &[u8]) -> Result<Parts, ClipError> {
    let boxes = top_level(bytes);
    let (_, moov) = boxes
        .iter()
        .find(|(kind, _)| *kind == MoovBox::TYPE)
        .ok_or(ClipError::NoIndex)?;
    let (moov, _) = MoovBox::decode(&bytes[moov.clone()])?;
    let mut tracks = Vec::new();
    let mut parts = Parts::default();
    for trak in &moov.trak_boxes {
        if let Some(track) = Source::new(trak, moov.mvhd_box.timescale.get(), &mut parts) {
            tracks.push(track);
        }
    }
    let mut budget = Budget::of(bytes);
    for track in &mut tracks {
        track.read_index(bytes, &mut budget)?;
    }
    let defaults = moov
        .mvex_box
        .map(|mvex| mvex.trex_boxes)
        .unwrap_or_default();
    for (_, range) in boxes.iter().filter(|(kind, _)| *kind == MoofBox::TYPE) {
        let base = range.start as u64;
        budget.allow(claimed(&bytes[range.clone()]))?;
        let (moof, _) = MoofBox::decode(&bytes[range.clone()])?;
        if !read_fragment(&moof, base, bytes, &defaults, &mut tracks, &mut budget)? {
            break;
        }
    }
    for track in tracks {
        track.emit(bytes, &mut parts);
    }
    Ok(parts)
}

type ByteRange = std::ops::Range<usize>;

/// The boxes of the file, up to the first one that is cut off. An `mdat` that runs past the end is no obstacle: its
/// samples are checked one by one.
fn top_level(bytes: &[u8]) -> Vec<(BoxType, ByteRange)> {
    let mut boxes = Vec::new();
    let mut at = 0;
    while let Ok((header, header_len)) = BoxHeader::decode(&bytes[at..]) {
        let remaining = bytes.len() - at;
        let size = match header.box_size.get() {
            0 => remaining,
            size => match usize::try_from(size) {
                Ok(size) if (header_len..=remaining).contains(&size) => size,
                _ => break,
            },
        };
        boxes.push((header.box_type, at..at + size));
        at += size;
    }
    boxes
}

/// How many samples the runs of a fragment claim. Decoding makes room for each of them, although one that has no field of its
/// own takes no byte of the file.
fn claimed(moof: &[u8]) -> u64 {
    let trafs = inside(moof, TrafBox::TYPE);
    let truns = trafs.iter().flat_map(|traf| inside(traf, TrunBox::TYPE));
    truns
        .filter_map(|trun| {
            let (_, header) = BoxHeader::decode(trun).ok()?;
            // Version and flags, then the number.
            let [_, _, _, _, a, b, c, d] = *trun.get(header..)?.first_chunk()?;
            Some(u64::from(u32::from_be_bytes([a, b, c, d])))
        })
        .sum()
}

/// The boxes of one kind in another box.
fn inside(parent: &[u8], kind: BoxType) -> Vec<&[u8]> {
    let header = BoxHeader::decode(parent).map_or(parent.len(), |(_, len)| len);
    let content = parent.get(header..).unwrap_or_default();
    let boxes = top_level(content).into_iter();
    boxes
        .filter(|(found, _)| *found == kind)
        .map(|(_, range)| &content[range])
        .collect()
}

/// No honest file has more samples than bytes, or samples that add up to more than the file.
struct Budget {
    samples: usize,
    bytes: usize,
}

impl Budget {
    fn of(file: &[u8]) -> Self {
        Self {
            samples: file.len(),
            bytes: file.len(),
        }
    }

    /// Whether so many samples are left at all.
    fn allow(&self, samples: u64) -> Result<(), ClipError> {
        if samples > self.samples as u64 {
            return Err(too_many());
        }
        Ok(())
    }

    fn take(&mut self, samples: usize, bytes: usize) -> Result<(), ClipError> {
        match (
            self.samples.checked_sub(samples),
            self.bytes.checked_sub(bytes),
        ) {
            (Some(samples), Some(bytes)) => {
                *self = Self { samples, bytes };
                Ok(())
            }
            _ => Err(too_many()),
        }
    }
}

fn too_many() -> ClipError {
    malformed("its index names more samples than it holds")
}

/// One track of the file, on its way to becoming frames.
struct Source<'a> {
    trak: &'a TrakBox,
    timescale: u32,
    /// What to add to a media time in microseconds: the edit list.
    shift_us: i64,
    media: Media,
    samples: Vec<Located>,
    /// Where the next fragment starts if it does not say.
    next_time: u64,
}

/// A sample as the index describes it; the range is within the file.
struct Located {
    range: ByteRange,
    time: u64,
    duration: u32,
    key: bool,
    /// Sample entry, counted from 1.
    entry: usize,
}

impl<'a> Source<'a> {
    /// `None` for tracks that a camera has no use for; they are noted in `parts`.
    fn new(trak: &'a TrakBox, movie_timescale: u32, parts: &mut Parts) -> Option<Self> {
        let mdia = &trak.mdia_box;
        let entry = mdia.minf_box.stbl_box.stsd_box.entries.first()?;
        let media = match mdia.hdlr_box.handler_type {
            HdlrBox::HANDLER_TYPE_VIDE if parts.video.is_none() => video_media(entry),
            HdlrBox::HANDLER_TYPE_SOUN if parts.audio.is_none() => audio_media(entry),
            _ => None,
        };
        match &media {
            Some(Media::Video { codec, sets, .. }) => {
                let (width, height) = sets
                    .dimensions(*codec)
                    .or(entry.video_resolution())
                    .unwrap_or_default();
                parts.video = Some((*codec, width, height));
            }
            Some(Media::Audio { format, .. }) => parts.audio = Some(*format),
            None => parts.left_out.push(format!("track `{}`", name(entry))),
        }
        let timescale = mdia.mdhd_box.timescale.get();
        Some(Self {
            trak,
            timescale,
            shift_us: edit_shift(trak, timescale, movie_timescale),
            media: media?,
            samples: Vec::new(),
            next_time: 0,
        })
    }

    fn read_index(&mut self, bytes: &[u8], budget: &mut Budget) -> Result<(), ClipError> {
        let table = SampleTableAccessor::new(&self.trak.mdia_box.minf_box.stbl_box)
            .map_err(|error| malformed(&error.to_string()))?;
        budget.take(table.sample_count() as usize, 0)?;
        for sample in table.samples() {
            let range = locate(bytes, sample.data_offset(), sample.data_size() as usize)
                .ok_or_else(|| malformed("it is shorter than its index says"))?;
            budget.take(0, range.len())?;
            self.next_time = sample.timestamp() + u64::from(sample.duration());
            self.samples.push(Located {
                range,
                time: sample.timestamp(),
                duration: sample.duration(),
                key: sample.is_sync_sample(),
                entry: sample.chunk().sample_entry_index() + 1,
            });
        }
        Ok(())
    }

    fn micros(&self, time: u64) -> i64 {
        scale_to_micros(time, self.timescale).saturating_add(self.shift_us)
    }

    fn emit(mut self, bytes: &[u8], parts: &mut Parts) {
        if let Media::Audio { format, .. } = &self.media {
            self.samples = join_pcm(std::mem::take(&mut self.samples), *format, self.timescale);
        }
        let mut current_entry = 1;
        let samples = std::mem::take(&mut self.samples);
        for sample in &samples {
            let raw = &bytes[sample.range.clone()];
            let start_us = self.micros(sample.time);
            let end_us = self.micros(sample.time.saturating_add(u64::from(sample.duration)));
            if sample.entry != current_entry {
                current_entry = sample.entry;
                self.enter(sample.entry);
            }
            let (track, key, data) = match &mut self.media {
                Media::Video {
                    codec,
                    length_size,
                    sets,
                } => {
                    let nals: Vec<_> = length_prefixed(raw, *length_size).collect();
                    if nals.is_empty() {
                        continue;
                    }
                    let (key, data) = camera_frame(*codec, &nals, sets, sample.key);
                    (Track::Video, key, data)
                }
                Media::Audio { aac, .. } => {
                    let mut data = Vec::with_capacity(raw.len() + 7);
                    if let Some(config) = aac {
                        let Some(header) = config.header(raw.len()) else {
                            continue;
                        };
                        data.extend_from_slice(&header);
                    }
                    data.extend_from_slice(raw);
                    (Track::Audio, true, data)
                }
            };
            parts.samples.push(Timed {
                track,
                key,
                start_us,
                end_us,
                data,
            });
        }
    }

    /// Takes up the parameter sets of another sample entry of the same codec.
    fn enter(&mut self, entry: usize) {
        let entries = &self.trak.mdia_box.minf_box.stbl_box.stsd_box.entries;
        let Some(Media::Video {
            codec: new_codec,
            length_size: new_size,
            sets: new_sets,
        }) = entry
            .checked_sub(1)
            .and_then(|i| entries.get(i))
            .and_then(video_media)
        else {
            return;
        };
        if let Media::Video {
            codec,
            length_size,
            sets,
        } = &mut self.media
            && *codec == new_codec
        {
            *length_size = new_size;
            *sets = new_sets;
        }
    }
}

/// Adds the samples of one fragment. Says false if it reaches past the end of the file: nothing follows then.
fn read_fragment(
    moof: &MoofBox,
    moof_start: u64,
    bytes: &[u8],
    defaults: &[TrexBox],
    tracks: &mut [Source<'_>],
    budget: &mut Budget,
) -> Result<bool, ClipError> {
    let mut previous_end = moof_start;
    for traf in &moof.traf_boxes {
        let tfhd = &traf.tfhd_box;
        let trex = defaults.iter().find(|trex| trex.track_id == tfhd.track_id);
        let base = match tfhd.base_data_offset {
            Some(offset) => offset,
            None if tfhd.default_base_is_moof => moof_start,
            None => previous_end,
        };
        let mut track = tracks
            .iter_mut()
            .find(|t| t.trak.tkhd_box.track_id == tfhd.track_id);
        let mut time = match (&traf.tfdt_box, &track) {
            (Some(tfdt), _) => tfdt.base_media_decode_time,
            (None, Some(track)) => track.next_time,
            (None, None) => 0,
        };
        let entry = tfhd
            .sample_description_index
            .or(trex.map(|t| t.default_sample_description_index))
            .unwrap_or(1) as usize;
        let mut at = base;
        for trun in &traf.trun_boxes {
            if let Some(offset) = trun.data_offset {
                at = base
                    .checked_add_signed(i64::from(offset))
                    .ok_or_else(|| malformed("a fragment points in front of the file"))?;
            }
            budget.take(trun.samples.len(), 0)?;
            for (i, sample) in trun.samples.iter().enumerate() {
                let duration = sample
                    .duration
                    .or(tfhd.default_sample_duration)
                    .or(trex.map(|t| t.default_sample_duration))
                    .unwrap_or(0);
                let size = sample
                    .size
                    .or(tfhd.default_sample_size)
                    .or(trex.map(|t| t.default_sample_size))
                    .unwrap_or(0);
                let flags = trun
                    .first_sample_flags
                    .filter(|_| i == 0)
                    .or(sample.flags)
                    .or(tfhd.default_sample_flags)
                    .or(trex.map(|t| t.default_sample_flags));
                let Some(range) = locate(bytes, at, size as usize) else {
                    return Ok(false);
                };
                at += u64::from(size);
                if let Some(track) = &mut track {
                    budget.take(0, range.len())?;
                    track.samples.push(Located {
                        range,
                        time,
                        duration,
                        key: flags.is_none_or(|f| !f.sample_is_non_sync_sample()),
                        entry,
                    });
                }
                time = time.saturating_add(u64::from(duration));
            }
        }
        if let Some(track) = track {
            track.next_time = time;
        }
        previous_end = at;
    }
    Ok(true)
}

fn locate(bytes: &[u8], offset: u64, size: usize) -> Option<ByteRange> {
    let start = usize::try_from(offset).ok()?;
    let end = start.checked_add(size)?;
    (end <= bytes.len()).then_some(start..end)
}

/// The NAL units of a sample, up to the first one that does not fit.
fn length_prefixed(mut sample: &[u8], length_size: usize) -> impl Iterator<Item = &[u8]> {
    std::iter::from_fn(move || {
        loop {
            let (length, rest) = sample.split_at_checked(length_size)?;
            let length = length
                .iter()
                .fold(0usize, |n, &byte| n << 8 | usize::from(byte));
            let (nal, rest) = rest.split_at_checked(length)?;
            sample = rest;
            if !nal.is_empty() {
                return Some(nal);
            }
        }
    })
}

/// PCM in QuickTime style has a table entry for every single sample; cameras send packets.
fn join_pcm(samples: Vec<Located>, format: AudioFormat, timescale: u32) -> Vec<Located> {
    let Some(width) = format.codec.bytes_per_sample() else {
        return samples;
    };
    let atom = width * usize::from(format.channels.max(1));
    let frame = (u64::from(timescale) * PCM_FRAME_US / 1_000_000).max(1);
    let mut joined: Vec<Located> = Vec::new();
    for sample in samples {
        match joined.last_mut() {
            Some(last)
                if sample.range.len() <= atom
                    && last.range.end == sample.range.start
                    && sample.time == last.time.saturating_add(u64::from(last.duration))
                    && u64::from(last.duration) + u64::from(sample.duration) <= frame =>
            {
                last.range.end = sample.range.end;
                last.duration += sample.duration;
            }
            _ => joined.push(sample),
        }
    }
    joined
}

/// What the edit list adds to media times, in microseconds: empty edits at the start delay the track, the first other
/// edit says which media time is presented first.
fn edit_shift(trak: &TrakBox, timescale: u32, movie_timescale: u32) -> i64 {
    let mut shift = 0i64;
    let edits = trak.edts_box.as_ref().and_then(|e| e.elst_box.as_ref());
    for edit in edits.iter().flat_map(|list| &list.entries) {
        if let Ok(media_time) = u64::try_from(edit.media_time) {
            return shift.saturating_sub(scale_to_micros(media_time, timescale));
        }
        shift = shift.saturating_add(scale_to_micros(edit.edit_duration, movie_timescale));
    }
    shift
}

/// Bounded far below `i64`, so that sums of a few cannot overflow.
fn scale_to_micros(time: u64, timescale: u32) -> i64 {
    let micros = u128::from(time) * 1_000_000 / u128::from(timescale.max(1));
    micros.min(1 << 60) as i64
}

fn malformed(what: &str) -> ClipError {
    ClipError::Malformed(what.to_owned())
}
