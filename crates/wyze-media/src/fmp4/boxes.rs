//! The boxes of a fragmented MP4 (ISO/IEC 14496-12 §8.8): the header, and one `moof` + `mdat` per fragment.

use std::num::NonZeroU32;

use shiguredo_mp4::bitstream::h264::LengthSize;
use shiguredo_mp4::bitstream::{aac, h264, h265, opus};
use shiguredo_mp4::boxes::{
    AudioSampleEntryFields, Brand, DinfBox, FtypBox, HdlrBox, MdhdBox, MdiaBox, MediaHeader,
    MfhdBox, MinfBox, MoofBox, MoovBox, MvexBox, MvhdBox, SampleEntry, SmhdBox, StblBox, StcoBox,
    StscBox, StsdBox, StszBox, SttsBox, TfdtBox, TfhdBox, TkhdBox, TrafBox, TrakBox, TrexBox,
    TrunBox, TrunSample, UnknownBox, VmhdBox,
};
use shiguredo_mp4::descriptors::DecoderSpecificInfo;
use shiguredo_mp4::{
    BoxSize, BoxType, Either, Encode, Error, ErrorKind, FixedPointNumber, LanguageCode,
    Mp4FileTime, Result, SampleFlags,
};

use crate::adts::AacConfig;
use crate::nal::ParameterSets;
use crate::{AudioCodec, AudioFormat, VideoCodec};

/// One track of the header. Tracks are numbered from 1 in the order of the slice.
pub(super) struct TrackHeader {
    pub(super) entry: SampleEntry,
    pub(super) timescale: u32,
}

/// The sample entry of a video stream.
///
/// `avc1` and `hvc1` rather than `avc3` and `hev1`: Apple's players open only the former. The parameter sets are in
/// the entry as these names promise, and stay in the samples as well, where they do no harm.
pub(super) fn video_entry(codec: VideoCodec, sets: &ParameterSets) -> Result<SampleEntry> {
    let length_size = LengthSize::FourBytes;
    match codec {
        VideoCodec::H264 => {
            let config = h264::H264SampleEntryConfig { length_size };
            h264::build_avc1_box(&sets.sps, &sets.pps, &config).map(SampleEntry::Avc1)
        }
        VideoCodec::H265 => {
            let config = h265::H265SampleEntryConfig {
                length_size,
                avg_frame_rate: h265::H265SampleEntryConfig::AVG_FRAME_RATE_UNSPECIFIED,
                constant_frame_rate: h265::H265ConstantFrameRate::Unknown,
            };
            h265::build_hvc1_box(&sets.vps, &sets.sps, &sets.pps, &config).map(SampleEntry::Hvc1)
        }
    }
}

/// The sample entry of an audio stream; `aac` for AAC only.
///
/// G.711 and PCM use the codes of QuickTime (`ulaw`, `alaw`, `sowt`), which players read in MP4 as well; the newer
/// `ipcm` of ISO/IEC 23003-5 is unknown to many in the field, FFmpeg before 6 among them.
pub(super) fn audio_entry(format: AudioFormat, aac: Option<AacConfig>) -> Result<SampleEntry> {
    match format.codec {
        AudioCodec::Aac => {
            let config = aac.ok_or_else(|| invalid("AAC needs its configuration"))?;
            aac_entry(config)
        }
        AudioCodec::Opus => Ok(SampleEntry::Opus(opus::build_opus_box(
            &opus::OpusSampleEntryConfig {
                channel_count: if format.channels == 2 {
                    opus::ChannelCount::Stereo
                } else {
                    opus::ChannelCount::Mono
                },
                // The recording starts in the middle of the camera's stream: there is no encoder delay to skip.
                pre_skip: 0,
                input_sample_rate: format.sample_rate,
                output_gain: 0,
            },
        ))),
        AudioCodec::Pcmu => pcm_entry(*b"ulaw", format),
        AudioCodec::Pcma => pcm_entry(*b"alaw", format),
        AudioCodec::Pcm16 => pcm_entry(*b"sowt", format),
    }
}

fn aac_entry(config: AacConfig) -> Result<SampleEntry> {
    let channel_configuration = match config.channels() {
        1 => aac::ChannelConfiguration::Mono,
        _ => aac::ChannelConfiguration::Stereo,
    };
    let mut entry = aac::build_mp4a_box(
        &aac::AudioSpecificConfig {
            audio_object_type: aac::AudioObjectType::AacLc,
            sampling_frequency: aac::SamplingFrequency::from_hz(config.sample_rate())?,
            channel_configuration,
        },
        &aac::Mp4aSampleEntryConfig {
            es_id: 1,
            buffer_size_db: 0,
            max_bitrate: 0,
            avg_bitrate: 0,
        },
    )?;
    // The crate knows LC only; this covers every profile and channel layout that ADTS can name.
    entry.audio.channelcount = u16::from(config.channels());
    entry.esds_box.es.dec_config_descr.dec_specific_info = Some(DecoderSpecificInfo {
        payload: config.specific_config().to_vec(),
    });
    Ok(SampleEntry::Mp4a(entry))
}

fn pcm_entry(code: [u8; 4], format: AudioFormat) -> Result<SampleEntry> {
    let payload = AudioSampleEntryFields {
        data_reference_index: AudioSampleEntryFields::DEFAULT_DATA_REFERENCE_INDEX,
        channelcount: u16::from(format.channels),
        samplesize: AudioSampleEntryFields::DEFAULT_SAMPLESIZE,
        samplerate: FixedPointNumber::new(u16::try_from(format.sample_rate).unwrap_or(0), 0),
    }
    .encode_to_vec()?;
    let box_type = BoxType::Normal(code);
    Ok(SampleEntry::Unknown(UnknownBox {
        box_type,
        box_size: BoxSize::with_payload_size(box_type, payload.len() as u64),
        payload,
    }))
}

/// `ftyp` and `moov`: all that stands in front of the first fragment.
pub(super) fn header(tracks: &[TrackHeader]) -> Result<Vec<u8>> {
    let ftyp = FtypBox {
        major_brand: Brand::ISO5,
        minor_version: 0,
        compatible_brands: vec![Brand::ISOM, Brand::ISO5, Brand::ISO6, Brand::MP41],
    };
    let numbered = || (1u32..).zip(tracks);
    let moov = MoovBox {
        mvhd_box: MvhdBox {
            creation_time: Mp4FileTime::default(),
            modification_time: Mp4FileTime::default(),
            timescale: nonzero(1000)?,
            duration: 0,
            rate: MvhdBox::DEFAULT_RATE,
            volume: MvhdBox::DEFAULT_VOLUME,
            matrix: MvhdBox::DEFAULT_MATRIX,
            next_track_id: tracks.len() as u32 + 1,
        },
        trak_boxes: numbered()
            .map(|(id, track)| trak(id, track))
            .collect::<Result<_>>()?,
        mvex_box: Some(MvexBox {
            mehd_box: None,
            trex_boxes: numbered().map(|(id, _)| trex(id)).collect(),
            unknown_boxes: Vec::new(),
        }),
        unknown_boxes: Vec::new(),
    };
    let mut bytes = ftyp.encode_to_vec()?;
    bytes.append(&mut moov.encode_to_vec()?);
    Ok(bytes)
}

fn trex(track_id: u32) -> TrexBox {
    TrexBox {
        track_id,
        default_sample_description_index: 1,
        default_sample_duration: 0,
        default_sample_size: 0,
        default_sample_flags: SampleFlags::empty(),
    }
}

fn trak(track_id: u32, track: &TrackHeader) -> Result<TrakBox> {
    let size = track.entry.video_resolution();
    let (width, height) = size.unwrap_or_default();
    let pixels = |n: u16| {
        i16::try_from(n)
            .map(|n| FixedPointNumber::new(n, 0))
            .map_err(|_| invalid("the picture is too large for MP4"))
    };
    let (handler_type, name, volume, media_header) = if size.is_some() {
        let header = MediaHeader::Vmhd(VmhdBox::default());
        let volume = TkhdBox::DEFAULT_VIDEO_VOLUME;
        (HdlrBox::HANDLER_TYPE_VIDE, "video", volume, header)
    } else {
        let header = MediaHeader::Smhd(SmhdBox::default());
        let volume = TkhdBox::DEFAULT_AUDIO_VOLUME;
        (HdlrBox::HANDLER_TYPE_SOUN, "audio", volume, header)
    };
    Ok(TrakBox {
        tkhd_box: TkhdBox {
            flag_track_enabled: true,
            flag_track_in_movie: true,
            flag_track_in_preview: false,
            flag_track_size_is_aspect_ratio: false,
            creation_time: Mp4FileTime::default(),
            modification_time: Mp4FileTime::default(),
            track_id,
            duration: 0,
            layer: TkhdBox::DEFAULT_LAYER,
            alternate_group: TkhdBox::DEFAULT_ALTERNATE_GROUP,
            volume,
            matrix: TkhdBox::DEFAULT_MATRIX,
            width: pixels(width)?,
            height: pixels(height)?,
        },
        edts_box: None,
        mdia_box: MdiaBox {
            mdhd_box: MdhdBox {
                creation_time: Mp4FileTime::default(),
                modification_time: Mp4FileTime::default(),
                timescale: nonzero(track.timescale)?,
                duration: 0,
                language: LanguageCode::default(),
            },
            hdlr_box: HdlrBox {
                handler_type,
                name: [name.as_bytes(), &[0]].concat(),
            },
            minf_box: MinfBox {
                media_header: Some(media_header),
                dinf_box: DinfBox::LOCAL_FILE,
                stbl_box: empty_table(track.entry.clone()),
                unknown_boxes: Vec::new(),
            },
            unknown_boxes: Vec::new(),
        },
        unknown_boxes: Vec::new(),
    })
}

fn empty_table(entry: SampleEntry) -> StblBox {
    StblBox {
        stsd_box: StsdBox {
            entries: vec![entry],
        },
        stts_box: SttsBox {
            entries: Vec::new(),
        },
        ctts_box: None,
        cslg_box: None,
        stsc_box: StscBox {
            entries: Vec::new(),
        },
        stsz_box: StszBox::Variable {
            entry_sizes: Vec::new(),
        },
        stco_or_co64_box: Either::A(StcoBox {
            chunk_offsets: Vec::new(),
        }),
        stss_box: None,
        sdtp_box: None,
        unknown_boxes: Vec::new(),
    }
}

/// One sample of a fragment.
#[derive(Debug, Clone, Copy)]
pub(super) struct FragmentSample {
    pub(super) duration: u32,
    pub(super) size: u32,
    pub(super) key: bool,
}

/// The samples of one track in a fragment; never empty.
pub(super) struct FragmentTrack<'a> {
    pub(super) track_id: u32,
    /// Decoding time of the first sample.
    pub(super) time: u64,
    pub(super) samples: Vec<FragmentSample>,
    pub(super) data: &'a [u8],
}

/// A whole fragment: `moof`, then `mdat` with the data of the tracks one after the other.
pub(super) fn fragment(sequence_number: u32, tracks: &[FragmentTrack<'_>]) -> Result<Vec<u8>> {
    // The offsets count from the start of the moof, whose length does not depend on them.
    let moof_len = moof(sequence_number, tracks, 0)?.encode_to_vec()?.len();
    let mut bytes = moof(sequence_number, tracks, moof_len + 8)?.encode_to_vec()?;
    let data_len: usize = tracks.iter().map(|t| t.data.len()).sum();
    let mdat_len = u32::try_from(data_len + 8).map_err(|_| invalid("a fragment beyond 4 GiB"))?;
    bytes.reserve_exact(mdat_len as usize);
    bytes.extend_from_slice(&mdat_len.to_be_bytes());
    bytes.extend_from_slice(b"mdat");
    tracks
        .iter()
        .for_each(|track| bytes.extend_from_slice(track.data));
    Ok(bytes)
}

fn moof(sequence_number: u32, tracks: &[FragmentTrack<'_>], data_at: usize) -> Result<MoofBox> {
    let mut data_at = data_at;
    let mut traf_boxes = Vec::with_capacity(tracks.len());
    for track in tracks {
        let data_offset = i32::try_from(data_at).map_err(|_| invalid("a fragment beyond 2 GiB"))?;
        data_at += track.data.len();
        traf_boxes.push(TrafBox {
            tfhd_box: TfhdBox {
                track_id: track.track_id,
                base_data_offset: None,
                sample_description_index: None,
                default_sample_duration: None,
                default_sample_size: None,
                default_sample_flags: None,
                duration_is_empty: false,
                default_base_is_moof: true,
            },
            tfdt_box: Some(TfdtBox {
                version: 1,
                base_media_decode_time: track.time,
            }),
            trun_boxes: vec![TrunBox {
                data_offset: Some(data_offset),
                first_sample_flags: None,
                samples: track.samples.iter().map(trun_sample).collect(),
            }],
            unknown_boxes: Vec::new(),
        });
    }
    Ok(MoofBox {
        mfhd_box: MfhdBox { sequence_number },
        traf_boxes,
        unknown_boxes: Vec::new(),
    })
}

fn trun_sample(sample: &FragmentSample) -> TrunSample {
    let depends_on = if sample.key { 2 } else { 1 };
    TrunSample {
        duration: Some(sample.duration),
        size: Some(sample.size),
        flags: Some(SampleFlags::from_fields(
            0,
            depends_on,
            0,
            0,
            0,
            !sample.key,
            0,
        )),
        composition_time_offset: None,
    }
}

fn nonzero(n: u32) -> Result<NonZeroU32> {
    NonZeroU32::new(n).ok_or_else(|| invalid("a time scale of zero"))
}

fn invalid(why: &str) -> Error {
    Error::with_reason(ErrorKind::InvalidInput, why)
}
