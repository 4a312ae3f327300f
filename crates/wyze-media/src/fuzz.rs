//! Body of the fuzz target `media`: files that somebody hands us, clips and sounds.
//!
//! It is here and not in `tutk-testkit`, whose users need none of this.

use std::io::Cursor;
use std::time::Duration;

use crate::nal::{self, ParameterSets};
use crate::{
    AnnexBWriter, AudioFormat, AudioFrame, AudioInput, AudioWriter, Clip, Fmp4Options, Fmp4Writer,
    Fragments, Sink, SoundTarget, Track, VideoCodec, VideoFrame,
};

/// Frames of sound that are looked at: a short file may be stretched to many.
const MOST_FRAMES: usize = 1000;

/// MP4, Annex B, WAV, ADTS or Ogg: read or refused, and what was read is written and read again as the same.
pub fn media(data: &[u8]) {
    units(data);
    if let Ok(clip) = Clip::from_bytes(data) {
        check(&clip);
        raw(&clip);
        for fragments in [Fragments::KeyFrame, Fragments::EveryFrame] {
            mp4(&clip, fragments);
        }
    }
    sound(data);
}

/// NAL units and parameter sets of any bytes.
fn units(data: &[u8]) {
    let found: Vec<&[u8]> = nal::nal_units(data).collect();
    let mut written = Vec::new();
    for unit in &found {
        assert!(unit.last().is_some_and(|last| *last != 0));
        nal::push_annex_b(&mut written, unit);
    }
    assert!(nal::nal_units(&written).eq(found.iter().copied()));
    for codec in [VideoCodec::H264, VideoCodec::H265] {
        let sets = ParameterSets::collect(codec, found.iter().copied());
        let mut again = ParameterSets::default();
        again.update(ParameterSets::collect(codec, sets.iter()));
        assert_eq!(again, sets);
        sets.dimensions(codec);
    }
}

/// What a clip promises.
fn check(clip: &Clip) {
    let samples = clip.samples();
    assert!(!samples.is_empty());
    assert!(samples.is_sorted_by_key(|s| s.time));
    assert_eq!(samples.first().map(|s| s.time), Some(Duration::ZERO));
    for sample in samples {
        assert!(!sample.data.is_empty() && sample.time <= clip.duration());
        match sample.track {
            Track::Video => {
                assert!(clip.video().is_some() && nal::starts_with_start_code(&sample.data));
            }
            Track::Audio => assert!(clip.audio().is_some() && sample.key),
        }
    }
    let mut video = samples.iter().filter(|s| s.track == Track::Video);
    assert!(video.next().is_none_or(|first| first.key));
}

/// Writes the clip, as far as the writer takes it; whether anything is there to be read.
fn write(clip: &Clip, sink: &mut impl Sink) -> bool {
    for sample in clip.samples() {
        let time_us = sample.time.as_micros() as u64;
        let written = match (sample.track, clip.video(), clip.audio()) {
            (Track::Video, Some(video), _) => sink.write_video(VideoFrame {
                codec: video.codec,
                time_us,
                key: sample.key,
                data: &sample.data,
            }),
            (Track::Audio, _, Some(format)) => sink.write_audio(AudioFrame {
                format: *format,
                time_us,
                data: &sample.data,
            }),
            _ => unreachable!("a sample of no track"),
        };
        if written.is_err() {
            return false;
        }
    }
    sink.finish().is_ok()
}

/// The video as Annex B: what is read of that is written and read again as the same.
fn raw(clip: &Clip) {
    let annex_b = |clip: &Clip| {
        let mut writer = AnnexBWriter::new(Vec::new(), None);
        write(clip, &mut writer).then(|| writer.into_inner())
    };
    let read = |bytes: Vec<u8>| Clip::from_bytes(&bytes).ok();
    // Parameter sets that nobody can decode, or those of the other codec in front of them, are no promise of ours.
    let Some(once) = annex_b(clip).and_then(read) else {
        return;
    };
    let Some(twice) = annex_b(&once).and_then(read) else {
        return;
    };
    if once.video().map(|v| v.codec) == twice.video().map(|v| v.codec) {
        assert_eq!(once.samples(), twice.samples());
    }
}

/// The clip as MP4, which can be read: the same pictures.
fn mp4(clip: &Clip, fragments: Fragments) {
    let options = Fmp4Options {
        fragments,
        audio: clip.audio().is_some(),
    };
    let mut writer = Fmp4Writer::new(Vec::new(), options);
    if !write(clip, &mut writer) {
        return;
    }
    let frames = writer.stats().video_frames;
    let again = Clip::from_bytes(&writer.into_inner()).expect("what we write we read");
    check(&again);
    let pictures = |clip: &Clip| {
        let video = clip.samples().iter().filter(|s| s.track == Track::Video);
        video.count()
    };
    assert!(pictures(&again) as u64 <= frames && pictures(&again) <= pictures(clip));
}

/// A file for the camera's speaker.
fn sound(data: &[u8]) {
    let open = |bytes: Vec<u8>| AudioInput::from_stdin(Cursor::new(bytes), None).ok();
    let frames = |input: AudioInput, format: AudioFormat| {
        let target = SoundTarget {
            format,
            pcm_frame: None,
        };
        let frames = input.into_frames(target).ok()?;
        let frames = frames.take(MOST_FRAMES).map_while(Result::ok);
        Some(frames.map(|frame| frame.data).collect::<Vec<_>>())
    };
    let Some(input) = open(data.to_vec()) else {
        return;
    };
    let format = input.format();
    let Some(read) = frames(input, format) else {
        return;
    };
    assert!(read.iter().all(|frame| !frame.is_empty()));
    let Some(config) = read.first().and_then(|first| AudioFormat::from_adts(first)) else {
        return;
    };
    if config != format {
        return;
    }
    let mut writer = AudioWriter::new(Vec::new(), format.codec).expect("ADTS can be written");
    for data in &read {
        let frame = AudioFrame {
            format,
            time_us: 0,
            data,
        };
        writer.write_audio(frame).expect("memory");
    }
    let again = open(writer.into_inner()).and_then(|input| frames(input, format));
    assert_eq!(again, Some(read));
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    #[test]
    fn the_body_survives_its_corpus() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus/media");
        let mut replayed = 0;
        for file in fs::read_dir(folder).unwrap() {
            let mut data = fs::read(file.unwrap().path()).unwrap();
            super::media(&data);
            super::media(&data[..data.len() / 2]);
            for at in (0..data.len()).step_by(data.len() / 20 + 1) {
                data[at] ^= 0x11;
                super::media(&data);
            }
            replayed += 1;
        }
        assert!(replayed >= 8, "{replayed} seeds");
    }
}
