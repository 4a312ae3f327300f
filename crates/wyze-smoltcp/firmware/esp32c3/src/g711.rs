//! G.711: a sample of 16 bits in eight, by µ-law or A-law (ITU-T G.711).

/// The middle of the first µ-law segment, in units of a 16-bit sample.
const BIAS: u16 = 132;
/// Every second bit of an A-law byte is sent inverted.
const EVEN_BITS: u8 = 0x55;

/// The sample that a µ-law byte stands for.
pub fn from_ulaw(byte: u8) -> i16 {
    let byte = !byte;
    let (segment, step) = (byte >> 4 & 7, i16::from(byte & 15));
    let magnitude = (((step << 3) + BIAS as i16) << segment) - BIAS as i16;
    if byte & 0x80 == 0 {
        magnitude
    } else {
        -magnitude
    }
}

/// The µ-law byte that comes nearest.
pub fn to_ulaw(sample: i16) -> u8 {
    let sign = if sample < 0 { 0x80 } else { 0 };
    let magnitude = sample.unsigned_abs().min(0x7fff - BIAS) + BIAS;
    !(sign | segment_and_step(magnitude))
}

/// The sample that an A-law byte stands for.
pub fn from_alaw(byte: u8) -> i16 {
    let byte = byte ^ EVEN_BITS;
    let (segment, step) = (byte >> 4 & 7, i16::from(byte & 15));
    let magnitude = match segment {
        0 => (step << 4) + 8,
        _ => ((step << 4) + 0x108) << (segment - 1),
    };
    if byte & 0x80 == 0 {
        -magnitude
    } else {
        magnitude
    }
}

/// The A-law byte that comes nearest.
pub fn to_alaw(sample: i16) -> u8 {
    let (sign, magnitude) = if sample < 0 {
        (0, !sample as u16)
    } else {
        (0x80, sample as u16)
    };
    let code = match magnitude {
        0..0x100 => (magnitude >> 4) as u8,
        _ => segment_and_step(magnitude),
    };
    (sign | code) ^ EVEN_BITS
}

/// Which octave above 2^7 a magnitude lies in, and the four bits below its leading one.
fn segment_and_step(magnitude: u16) -> u8 {
    let segment = 8 - magnitude.leading_zeros() as u8;
    segment << 4 | (magnitude >> (segment + 3) & 15) as u8
}
