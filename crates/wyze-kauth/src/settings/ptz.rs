//! What a user says to turn a camera.

use core::fmt;

use tutk_core::wire::Writer;

use crate::command::{
    CruisePoint, CruisePoints, GetCruisePoints, GetPtzPosition, MAX_CRUISE_POINTS, Pan,
    ResetRotation, RotateByAction, RotateByDegree, SetCruisePoints, SetPtzPosition, Tilt,
    write_request,
};
use crate::hl::Code;

/// A word that turns a camera, and what may follow it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub struct PtzVerb {
    /// The word.
    pub name: &'static str,
    /// The numbers that follow it, for the user.
    pub usage: &'static str,
    /// What it does, for the user.
    pub help: &'static str,
    make: Make,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
enum Make {
    Step(Pan, Tilt),
    Degrees,
    Home,
    Position,
    Cruise,
}

const fn verb(name: &'static str, usage: &'static str, help: &'static str, make: Make) -> PtzVerb {
    PtzVerb {
        name,
        usage,
        help,
        make,
    }
}

/// All words.
#[rustfmt::skip] // one row a word
pub const PTZ_VERBS: &[PtzVerb] = &[
    verb("left", "[SPEED 1 to 9]", "a step to the left", Make::Step(Pan::Left, Tilt::Stay)),
    verb("right", "[SPEED 1 to 9]", "a step to the right", Make::Step(Pan::Right, Tilt::Stay)),
    verb("up", "[SPEED 1 to 9]", "a step up", Make::Step(Pan::Stay, Tilt::Up)),
    verb("down", "[SPEED 1 to 9]", "a step down", Make::Step(Pan::Stay, Tilt::Down)),
    verb("home", "", "to the start position", Make::Home),
    verb("position", "[VERTICAL 0 to 40, HORIZONTAL 0 to 350]", "to a position; without one, tells the present one", Make::Position),
    verb("cruise", "[VERTICAL,HORIZONTAL[,SECONDS 10 to 255] …, at most 16, or none]", "sets the points of its round; without one, tells the present ones", Make::Cruise),
    verb("turn", "HORIZONTAL VERTICAL [SPEED 1 to 9]", "by so many degrees", Make::Degrees),
];

/// The speed where none is given, which is what applications send.
const SPEED: i32 = 5;

/// How long a camera rests at a cruise point where nothing is said, seconds: the shortest.
const REST: u8 = 10;
/// The greatest position.
const MAX_VERTICAL: u8 = 40;
const MAX_HORIZONTAL: u16 = 350;

/// A request that turns a camera or asks where it looks.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum PtzRequest {
    /// K11002.
    Step(RotateByAction),
    /// K11000, which is not answered.
    Degrees(RotateByDegree),
    /// K11004, which is not answered.
    Home(ResetRotation),
    /// K11018.
    To(SetPtzPosition),
    /// K11006.
    Where(GetPtzPosition),
    /// K11012.
    Cruise(SetCruisePoints),
    /// K11010.
    CruiseWhere(GetCruisePoints),
}

/// Why words do not turn a camera.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum PtzError {
    /// No such word.
    UnknownVerb,
    /// This word is followed by other numbers.
    Usage(&'static PtzVerb),
}

impl fmt::Display for PtzError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownVerb => {
                f.write_str("a camera is turned by one of:")?;
                PTZ_VERBS.iter().enumerate().try_for_each(|(i, verb)| {
                    write!(f, "{} {}", if i == 0 { "" } else { "," }, verb.name)
                })
            }
            Self::Usage(verb) if verb.usage.is_empty() => {
                write!(f, "nothing follows \"{}\"", verb.name)
            }
            Self::Usage(verb) => write!(f, "\"{}\" is followed by {}", verb.name, verb.usage),
        }
    }
}

impl core::error::Error for PtzError {}

impl PtzRequest {
    /// Reads a word and its numbers. `unix_millis` is the time, milliseconds since 1970, which two requests carry.
    ///
    /// # Errors
    /// What is wrong with the words.
    pub fn parse(verb: &str, numbers: &[&str], unix_millis: u64) -> Result<Self, PtzError> {
        let verb = PTZ_VERBS
            .iter()
            .find(|v| v.name == verb)
            .ok_or(PtzError::UnknownVerb)?;
        Self::make(verb.make, numbers, unix_millis).ok_or(PtzError::Usage(verb))
    }

    fn make(make: Make, numbers: &[&str], unix_millis: u64) -> Option<Self> {
        match (make, numbers) {
            (Make::Step(pan, tilt), _) => Some(Self::Step(RotateByAction {
                pan,
                tilt,
                speed: speed(numbers)?,
            })),
            (Make::Degrees, [horizontal, vertical, rest @ ..]) => {
                Some(Self::Degrees(RotateByDegree {
                    horizontal: horizontal.parse().ok()?,
                    vertical: vertical.parse().ok()?,
                    speed: speed(rest)?,
                }))
            }
            (Make::Home, []) => Some(Self::Home(ResetRotation::START)),
            (Make::Position, []) => Some(Self::Where(GetPtzPosition {
                time: u32::try_from(unix_millis / 1000).ok()?,
            })),
            (Make::Position, [vertical, horizontal]) => Some(Self::To(SetPtzPosition {
                time: u32::try_from(unix_millis % 1_000_000_000).ok()?,
                vertical: vertical.parse().ok().filter(|v| *v <= MAX_VERTICAL)?,
                horizontal: horizontal.parse().ok().filter(|h| *h <= MAX_HORIZONTAL)?,
            })),
            (Make::Cruise, []) => Some(Self::CruiseWhere(GetCruisePoints {})),
            (Make::Cruise, ["none"]) => Some(Self::Cruise(SetCruisePoints {
                points: CruisePoints::default(),
            })),
            (Make::Cruise, _) => cruise(numbers).map(Self::Cruise),
            _ => None,
        }
    }

    /// Its code.
    pub const fn code(&self) -> Code {
        match self {
            Self::Step(_) => Code::K11002,
            Self::Degrees(_) => Code::K11000,
            Self::Home(_) => Code::K11004,
            Self::To(_) => Code::K11018,
            Self::Where(_) => Code::K11006,
            Self::Cruise(_) => Code::K11012,
            Self::CruiseWhere(_) => Code::K11010,
        }
    }

    /// Whether the camera answers it.
    pub const fn awaits_reply(&self) -> bool {
        !matches!(self, Self::Degrees(_) | Self::Home(_))
    }

    /// Writes it as a whole HL message, and says its code. `out` fails to finish if it did not fit.
    pub fn write(&self, out: &mut Writer<'_>) -> Code {
        match self {
            Self::Step(request) => write_request(request, out),
            Self::Degrees(request) => write_request(request, out),
            Self::Home(request) => write_request(request, out),
            Self::To(request) => write_request(request, out),
            Self::Where(request) => write_request(request, out),
            Self::Cruise(request) => write_request(request, out),
            Self::CruiseWhere(request) => write_request(request, out),
        }
    }
}

/// The speed that may stand at the end.
fn speed(numbers: &[&str]) -> Option<u8> {
    let speed = match numbers {
        [] => SPEED,
        [speed] => speed.parse().ok().filter(|s| (1..=9).contains(s))?,
        _ => return None,
    };
    u8::try_from(speed).ok()
}

/// The points of a round.
fn cruise(texts: &[&str]) -> Option<SetCruisePoints> {
    let mut points = heapless::Vec::<CruisePoint, MAX_CRUISE_POINTS>::new();
    for text in texts {
        points.push(cruise_point(text)?).ok()?;
    }
    let points = CruisePoints::new(&points).ok()?;
    Some(SetCruisePoints { points })
}

/// VERTICAL,HORIZONTAL[,SECONDS]
fn cruise_point(text: &str) -> Option<CruisePoint> {
    let (vertical, rest) = text.split_once(',')?;
    let (horizontal, seconds) = match rest.split_once(',') {
        Some((horizontal, seconds)) => (horizontal, seconds.parse().ok()?),
        None => (rest, REST),
    };
    let vertical = vertical.parse().ok()?;
    let horizontal = horizontal.parse().ok()?;
    let allowed = vertical <= MAX_VERTICAL && horizontal <= MAX_HORIZONTAL && seconds >= REST;
    allowed.then_some(CruisePoint {
        vertical,
        horizontal,
        seconds,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hl::Message;

    const NOW: u64 = 1_700_000_000_123;

    fn body(words: &[&str]) -> (u16, Vec<u8>) {
        let request = PtzRequest::parse(words[0], &words[1..], NOW).unwrap();
        let mut memory = [0u8; 64];
        let mut w = Writer::new(&mut memory);
        assert_eq!(request.write(&mut w), request.code());
        let m = Message::parse(w.finish().unwrap()).unwrap();
        (m.code.0, m.payload.to_vec())
    }

    #[test]
    fn a_turn_by_degrees_and_a_turn_home_are_not_answered() {
        for (words, answered) in [
            (&["left"][..], true),
            (&["home"], false),
            (&["position"], true),
        ] {
            let request = PtzRequest::parse(words[0], &words[1..], NOW).unwrap();
            assert_eq!(request.awaits_reply(), answered, "{words:?}");
        }
    }

    #[test]
    fn words_become_the_documented_bytes() {
        for (words, code, payload) in [
            (&["left"][..], 11002, "010005"),
            (&["right", "9"], 11002, "020009"),
            (&["up", "1"], 11002, "000101"),
            (&["down"], 11002, "000205"),
            (&["home"], 11004, "03"),
            (&["position"], 11006, "00f15365"),
            // 1 700 000 000 123 modulo 10⁹ is 123; vertical 20, horizontal 300.
            (&["position", "20", "300"], 11018, "7b000000142c01"),
            (&["cruise"], 11010, ""),
            (&["cruise", "none"], 11012, "00"),
            // Each point ends with a blank byte.
            (
                &["cruise", "20,300", "0,350,255"],
                11012,
                "02142c010a00005e01ff00",
            ),
            (&["turn", "-30", "10"], 11000, "e2ff0a0005"),
            (&["turn", "90", "0", "3"], 11000, "5a00000003"),
        ] {
            assert_eq!(
                body(words),
                (code, hex::decode(payload).unwrap()),
                "{words:?}"
            );
        }
    }

    #[test]
    fn wrong_words_are_told_the_right_ones() {
        let error = PtzRequest::parse("sideways", &[], NOW).unwrap_err();
        assert_eq!(
            error.to_string(),
            "a camera is turned by one of: left, right, up, down, home, position, cruise, turn"
        );
        for words in [
            &["left", "0"][..],
            &["left", "10"],
            &["left", "1", "1"],
            &["home", "1"],
            &["position", "20"],
            &["position", "41", "0"],
            &["position", "0", "351"],
            &["position", "-1", "0"],
            &["cruise", "20"],
            &["cruise", "41,0"],
            &["cruise", "0,351"],
            &["cruise", "0,0,9"],
            &["cruise", "0,0,10,0"],
            &["cruise", "0,0", "none"],
            &["turn"],
            &["turn", "x", "1"],
        ] {
            let error = PtzRequest::parse(words[0], &words[1..], NOW).unwrap_err();
            assert!(matches!(error, PtzError::Usage(v) if v.name == words[0]));
            assert!(error.to_string().contains(words[0]));
        }
        assert!(PtzRequest::parse("cruise", &["0,0"; 16], NOW).is_ok());
        assert!(PtzRequest::parse("cruise", &["0,0"; 17], NOW).is_err());
    }
}
