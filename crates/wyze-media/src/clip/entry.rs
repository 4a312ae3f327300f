//! Sample entries: what an MP4 says about the codec of a track.

use shiguredo_mp4::boxes::{AudioSampleEntryFields, HvccBox, SampleEntry};
use shiguredo_mp4::{BaseBox, Decode};

use crate::adts::AacConfig;
use crate::nal::ParameterSets;
use crate::{AudioCodec, AudioFormat, VideoCodec};

/// What it takes to turn samples into a camera's frames.
pub(super) enum Media {
    Video {
        codec: VideoCodec,
        length_size: usize,
        sets: ParameterSets,
    },
    Audio {
        format: AudioFormat,
        aac: Option<AacConfig>,
    },
}

/// `None` for codecs that no camera sends.
pub(super) fn video_media(entry: &SampleEntry) -> Option<Media> {
    let (codec, length_size_minus_one, sets) = match entry {
        SampleEntry::Avc1(avc1) => (
            VideoCodec::H264,
            avc1.avcc_box.length_size_minus_one.get(),
            ParameterSets {
                vps: Vec::new(),
                sps: avc1.avcc_box.sps_list.clone(),
                pps: avc1.avcc_box.pps_list.clone(),
            },
        ),
        SampleEntry::Hvc1(hvc1) => h265_media(&hvc1.hvcc_box),
        SampleEntry::Hev1(hev1) => h265_media(&hev1.hvcc_box),
        _ => return None,
    };
    Some(Media::Video {
        codec,
        length_size: usize::from(length_size_minus_one) + 1,
        sets,
    })
}

fn h265_media(hvcc: &HvccBox) -> (VideoCodec, u8, ParameterSets) {
    let nals = hvcc
        .nalu_arrays
        .iter()
        .flat_map(|array| array.nalus.iter().map(Vec::as_slice));
    (
        VideoCodec::H265,
        hvcc.length_size_minus_one.get(),
        ParameterSets::collect(VideoCodec::H265, nals),
    )
}

/// `None` for codecs that no camera sends.
pub(super) fn audio_media(entry: &SampleEntry) -> Option<Media> {
    let (codec, sample_rate, channels) = match entry {
        SampleEntry::Mp4a(mp4a) => {
            let config = mp4a
                .esds_box
                .es
                .dec_config_descr
                .dec_specific_info
                .as_ref()?;
            let aac = AacConfig::from_specific_config(&config.payload)?;
            return Some(Media::Audio {
                format: AudioFormat {
                    codec: AudioCodec::Aac,
                    sample_rate: aac.sample_rate(),
                    channels: aac.channels(),
                },
                aac: Some(aac),
            });
        }
        SampleEntry::Opus(opus) => {
            let rate = match opus.dops_box.input_sample_rate {
                rate @ (8_000 | 12_000 | 16_000 | 24_000) => rate,
                _ => 48_000,
            };
            let channels = opus.dops_box.output_channel_count;
            (AudioCodec::Opus, rate, u16::from(channels))
        }
        SampleEntry::Unknown(unknown) => {
            let codec = match unknown.box_type.as_bytes() {
                b"ulaw" => AudioCodec::Pcmu,
                b"alaw" => AudioCodec::Pcma,
                b"sowt" => AudioCodec::Pcm16,
                b"ipcm" if is_16_bit_little_endian(&unknown.payload) => AudioCodec::Pcm16,
                _ => return None,
            };
            let (fields, _) = AudioSampleEntryFields::decode(&unknown.payload).ok()?;
            let rate = u32::from(fields.samplerate.integer);
            (codec, rate, fields.channelcount)
        }
        _ => return None,
    };
    let channels = u8::try_from(channels)
        .ok()
        .filter(|c| (1..=2).contains(c))?;
    (sample_rate > 0).then_some(Media::Audio {
        format: AudioFormat {
            codec,
            sample_rate,
            channels,
        },
        aac: None,
    })
}

/// `ipcm` keeps the layout in a `pcmC` box (ISO/IEC 23003-5 §5.2): version and flags, then the format flags (bit 0 =
/// little-endian), then the sample size in bits.
fn is_16_bit_little_endian(entry: &[u8]) -> bool {
    entry
        .windows(10)
        .any(|w| &w[..4] == b"pcmC" && w[8] & 1 == 1 && w[9] == 16)
}

/// The four letters of the codec, for messages.
pub(super) fn name(entry: &SampleEntry) -> String {
    let kind = entry.box_type();
    String::from_utf8_lossy(kind.as_bytes())
        .chars()
        .map(|c| if c.is_ascii_graphic() { c } else { '?' })
        .collect()
}
