//! Which command a camera takes: by the protocol version that it shows in each HL header, and by its model
//! (`docs/protocol.md` §3.2, §3.3, §5).
//!
//! One row for each command, with what is documented and no more. A camera may know commands that no source lists for
//! it, so whatever is not excluded counts as [`Support::Unknown`], and trying is right.

use core::fmt;

use crate::hl::Code;
use crate::models::{Kind, Model, ResolutionCommand};

/// Whether a camera takes a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Support {
    /// It is documented that it does.
    Yes,
    /// Nothing says that it does, nor that it does not: try.
    Unknown,
    /// It does not.
    No {
        /// Why not, for the user.
        why: Unsupported,
    },
}

/// Why a camera does not take a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum Unsupported {
    /// Its firmware is too old.
    Protocol {
        /// What it speaks.
        has: u8,
        /// What it must speak at least.
        from: u8,
    },
    /// This model has another command for the same thing.
    UseInstead(Code),
    /// It cannot turn.
    NoMotor,
    /// It is no doorbell.
    NoDoorbell,
    /// It has no battery and never sleeps.
    NoBattery,
    /// It does not speak TUTK at all.
    OtherProtocol(&'static str),
}

impl fmt::Display for Unsupported {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Protocol { has, from } => {
                return write!(
                    f,
                    "the camera's firmware speaks protocol version {has}, and this needs {from}; update the firmware in the Wyze app"
                );
            }
            Self::UseInstead(code) => return write!(f, "this model takes {code} instead"),
            Self::NoMotor => "this model cannot turn: it has no pan and tilt motor",
            Self::NoDoorbell => "this model is no doorbell",
            Self::NoBattery => "this model has no battery: only outdoor cameras do",
            Self::OtherProtocol(why) => why,
        })
    }
}

impl core::error::Error for Unsupported {}

/// What a camera must be to take a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum Needs {
    /// Any camera.
    Nothing,
    /// One whose resolution K10056 sets.
    ResolvingBit,
    /// One whose motion alarm this command sets.
    MotionAlarm,
    /// A motor.
    Motor,
    /// A doorbell.
    Doorbell,
    /// A battery, as outdoor cameras have one.
    Battery,
    /// A part or a firmware that the model does not tell about: a siren, a spotlight, a floodlight, RTSP.
    Extra,
}

/// A command of `docs/protocol.md` §3.2.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub struct Command {
    /// The request's code.
    pub code: Code,
    /// What it does, for the user.
    pub name: &'static str,
    /// The protocol version from which on cameras take it; 0: no source says.
    pub since: u8,
    /// The version for outdoor cameras, where that differs.
    since_outdoor: u8,
    /// What a camera must be to take it.
    pub needs: Needs,
}

macro_rules! commands {
    ($($name:ident = $code:literal, $text:literal, $since:literal $(/ $outdoor:literal)?, $needs:ident;)*) => {
        impl Code {
            $(#[doc = concat!("Request: ", $text, ".")] pub const $name: Self = Self($code);)*
        }

        /// All commands that are known, by code.
        pub const COMMANDS: &[Command] = &[$(Command {
            code: Code::$name,
            name: $text,
            since: $since,
            // The last number of the two or of the one.
            since_outdoor: { let _since = $since; $(let _since = $outdoor;)? _since },
            needs: Needs::$needs,
        },)*];
    };
}

commands! {
    K10000 = 10000, "hello", 1, Nothing;
    K10002 = 10002, "answer to the challenge", 1, Nothing;
    K10006 = 10006, "answer to the challenge, with user id", 23, Nothing;
    K10008 = 10008, "answer to the challenge, with user id, second form", 25 / 29, Nothing;
    K10010 = 10010, "switch a media stream", 1, Nothing;
    K10020 = 10020, "read parameters by number", 1, Nothing;
    K10030 = 10030, "read the status light", 1, Nothing;
    K10032 = 10032, "switch the status light", 1, Nothing;
    K10040 = 10040, "read night vision", 1, Nothing;
    K10042 = 10042, "set night vision", 1, Nothing;
    K10044 = 10044, "read the infrared light", 16, Nothing;
    K10046 = 10046, "set the infrared light", 16, Nothing;
    // The support lists have it from version 1 on, users only from firmware 4.50.4 on.
    K10050 = 10050, "read the video parameters", 0, Nothing;
    K10052 = 10052, "set the video parameters", 1, Nothing;
    K10056 = 10056, "set resolution and bit rate", 12, ResolvingBit;
    K10058 = 10058, "take a photo to the SD card", 13, Nothing;
    K10070 = 10070, "read whether the picture shows the time", 3, Nothing;
    K10072 = 10072, "set whether the picture shows the time", 3, Nothing;
    K10074 = 10074, "read whether the picture shows the logo", 12, Nothing;
    K10076 = 10076, "set whether the picture shows the logo", 12, Nothing;
    K10090 = 10090, "read the clock", 1, Nothing;
    K10092 = 10092, "set the clock", 1, Nothing;
    K10148 = 10148, "start the HTTP server for the SD card", 18, Nothing;
    K10200 = 10200, "read the motion alarm", 0, Nothing;
    K10202 = 10202, "switch the motion alarm of the oldest models", 0, MotionAlarm;
    K10206 = 10206, "switch the motion alarm", 0, MotionAlarm;
    K10242 = 10242, "format the SD card", 3, Nothing;
    K10290 = 10290, "read motion tagging", 3, Nothing;
    K10292 = 10292, "switch motion tagging", 3, Nothing;
    K10302 = 10302, "set the time zone", 0, Nothing;
    K10444 = 10444, "wake the camera or let it sleep", 0, Battery;
    K10446 = 10446, "read the state of the connection", 0, Battery;
    K10448 = 10448, "read the battery's use", 28, Battery;
    K10600 = 10600, "switch RTSP", 21, Extra;
    K10604 = 10604, "read the RTSP parameters", 21, Extra;
    K10620 = 10620, "read whether it is night", 0, Nothing;
    K10624 = 10624, "read when night vision begins", 0, Nothing;
    K10626 = 10626, "set when night vision begins", 0, Nothing;
    K10630 = 10630, "switch siren and flash", 0, Extra;
    K10632 = 10632, "read siren and flash", 0, Extra;
    K10640 = 10640, "read the spotlight", 0, Extra;
    K10646 = 10646, "switch the spotlight", 0, Extra;
    K10720 = 10720, "list the accessories", 0, Nothing;
    K10788 = 10788, "read about the floodlight", 0, Extra;
    K10820 = 10820, "read about the white light", 0, Extra;
    K11000 = 11000, "turn by degrees", 5, Motor;
    K11002 = 11002, "turn in a direction", 5, Motor;
    K11004 = 11004, "turn to the start position", 5, Motor;
    K11006 = 11006, "read the position", 10, Motor;
    K11010 = 11010, "read the cruise points", 6, Motor;
    K11012 = 11012, "set the cruise points", 6, Motor;
    K11014 = 11014, "read pan scan", 0, Motor;
    K11016 = 11016, "switch pan scan", 0, Motor;
    K11018 = 11018, "turn to a position", 10, Motor;
    K11020 = 11020, "read motion tracking", 6, Motor;
    K11022 = 11022, "switch motion tracking", 6, Motor;
    K11635 = 11635, "say a quick reply", 0, Doorbell;
    K12060 = 12060, "switch the floodlight", 0, Extra;
}

/// The command with this code; `None` for one that is not known.
pub fn command(code: Code) -> Option<&'static Command> {
    let at = COMMANDS.binary_search_by_key(&code, |c| c.code).ok()?;
    COMMANDS.get(at)
}

/// Whether a camera takes the request `code`.
///
/// `protocol` is the version in the camera's HL headers ([`Message::version`](crate::Message)), 0 if no message has
/// come yet; `model` is what [`models::lookup`](crate::models::lookup) says, `None` for a model that is not known.
pub fn supported(code: Code, protocol: u8, model: Option<&Model>) -> Support {
    let Some(command) = command(code) else {
        return Support::Unknown;
    };
    let fits = match model.map(|model| command.needs.check(code, model)) {
        Some(Support::No { why }) => return Support::No { why },
        Some(fits) => fits,
        None if command.needs == Needs::Nothing => Support::Yes,
        None => Support::Unknown,
    };
    let from = match model {
        Some(model) if model.kind == Kind::Outdoor => command.since_outdoor,
        _ => command.since,
    };
    match (from, protocol) {
        (0, _) | (_, 0) => Support::Unknown,
        (from, has) if has < from => Support::No {
            why: Unsupported::Protocol { has, from },
        },
        _ => fits,
    }
}

impl Needs {
    /// Whether `model` is what the command `code` needs.
    fn check(self, code: Code, model: &Model) -> Support {
        let no = |why| Support::No { why };
        let required = |has: bool, why| if has { Support::Yes } else { no(why) };
        if let Some(why) = model.unsupported() {
            return no(Unsupported::OtherProtocol(why));
        }
        match self {
            Self::Nothing => Support::Yes,
            Self::ResolvingBit => required(
                model.resolution == ResolutionCommand::ResolvingBit,
                Unsupported::UseInstead(Code::K10052),
            ),
            Self::MotionAlarm => required(
                model.motion_alarm == code,
                Unsupported::UseInstead(model.motion_alarm),
            ),
            Self::Motor => required(model.pan_tilt, Unsupported::NoMotor),
            Self::Doorbell => required(model.kind == Kind::Doorbell, Unsupported::NoDoorbell),
            Self::Battery => required(model.kind == Kind::Outdoor, Unsupported::NoBattery),
            Self::Extra => Support::Unknown,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::models::{MODELS, lookup};

    fn on(model: &str, code: Code, protocol: u8) -> Support {
        supported(code, protocol, Some(lookup(model).unwrap()))
    }

    fn no(why: Unsupported) -> Support {
        Support::No { why }
    }

    #[test]
    fn codes_are_in_order_and_no_reply_is_another_request() {
        for pair in COMMANDS.windows(2) {
            assert!(pair[0].code < pair[1].code, "{}", pair[1].code);
        }
        for c in COMMANDS {
            assert_eq!(command(c.code), Some(c));
            assert_eq!(command(c.code.reply()), None, "{}", c.code);
        }
    }

    #[test]
    fn the_table_lists_the_commands_of_the_documentation() {
        let text = std::fs::read_to_string(concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/../../docs/protocol/kauth.md"
        ))
        .unwrap();
        let table = text.split("## §3.2").nth(1).unwrap();
        let table = table.split("## §3.3").next().unwrap();
        let rows = table.lines().filter_map(|line| line.strip_prefix("| 1"));
        let mut documented: Vec<u16> = rows
            .flat_map(|row| {
                let cell = row.split('|').next().unwrap().replace('ᴷ', "");
                format!("1{cell}")
                    .split('/')
                    .map(|c| c.trim().parse().unwrap())
                    .collect::<Vec<_>>()
            })
            .collect();
        documented.sort_unstable();
        let ours: Vec<u16> = COMMANDS
            .iter()
            .map(|c| c.code.0)
            .filter(|&c| c >= 10010)
            .collect();
        assert_eq!(ours, documented);
    }

    #[test]
    fn three_models_never_take_k10056() {
        for model in ["WYZEC1", "WVOD1", "HL_WCO2"] {
            assert_eq!(
                on(model, Code::K10056, 40),
                no(Unsupported::UseInstead(Code::K10052))
            );
            assert_eq!(on(model, Code::K10052, 40), Support::Yes);
        }
        assert_eq!(on("HL_CAM4", Code::K10056, 36), Support::Yes);
        assert_eq!(
            on("HL_CAM4", Code::K10056, 11),
            no(Unsupported::Protocol { has: 11, from: 12 })
        );
    }

    #[test]
    fn the_motion_alarm_has_one_command_on_each_model() {
        for model in MODELS.iter().filter(|m| m.unsupported().is_none()) {
            let early = ["WYZEDB3", "WVOD1", "HL_WCO2", "WYZEC1"].contains(&model.code);
            let (right, wrong) = match early {
                true => (Code::K10202, Code::K10206),
                false => (Code::K10206, Code::K10202),
            };
            assert_eq!(supported(right, 36, Some(model)), Support::Unknown);
            assert_eq!(
                supported(wrong, 36, Some(model)),
                no(Unsupported::UseInstead(right))
            );
        }
    }

    #[test]
    fn only_a_camera_with_a_motor_turns() {
        for (model, answer) in [
            ("HL_PAN3", Support::Yes),
            ("HL_CAM4", no(Unsupported::NoMotor)),
            ("WVOD1", no(Unsupported::NoMotor)),
        ] {
            for code in [
                Code::K11000,
                Code::K11002,
                Code::K11004,
                Code::K11018,
                Code::K11022,
            ] {
                assert_eq!(on(model, code, 36), answer, "{model} {code}");
            }
        }
        assert_eq!(
            on("WYZECP1_JEF", Code::K11018, 9),
            no(Unsupported::Protocol { has: 9, from: 10 })
        );
        assert_eq!(on("WYZECP1_JEF", Code::K11002, 9), Support::Yes);
    }

    #[test]
    fn battery_and_doorbell_commands_are_for_those() {
        assert_eq!(on("HL_WCO2", Code::K10448, 28), Support::Yes);
        assert_eq!(on("HL_CAM4", Code::K10448, 36), no(Unsupported::NoBattery));
        assert_eq!(on("HL_DB2", Code::K11635, 36), Support::Unknown);
        assert_eq!(on("HL_CAM4", Code::K11635, 36), no(Unsupported::NoDoorbell));
        assert_eq!(
            on("HL_WCO2", Code::K10008, 28),
            no(Unsupported::Protocol { has: 28, from: 29 })
        );
        assert_eq!(on("HL_CAM4", Code::K10008, 28), Support::Yes);
    }

    #[test]
    fn what_is_not_known_is_worth_a_try() {
        assert_eq!(supported(Code(10250), 36, None), Support::Unknown);
        assert_eq!(supported(Code::K10056, 36, None), Support::Unknown);
        assert_eq!(supported(Code::K10030, 36, None), Support::Yes);
        assert_eq!(supported(Code::K10030, 0, None), Support::Unknown);
        assert_eq!(on("HL_CAM4", Code::K10600, 36), Support::Unknown);
    }

    #[test]
    fn a_camera_that_speaks_something_else_takes_nothing() {
        for model in MODELS {
            if let Some(why) = model.unsupported() {
                let answer = supported(Code::K10030, 36, Some(model));
                assert_eq!(answer, no(Unsupported::OtherProtocol(why)));
            }
        }
    }
}
