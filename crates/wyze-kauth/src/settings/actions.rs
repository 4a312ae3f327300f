//! What a camera does once when told to (`docs/protocol.md` §3.2).

use core::fmt;

use super::{MAX_BODY, SettingRequest, Values};
use crate::hl::Code;

/// Something that a camera does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub struct Action {
    /// The word a user gives, such as "photo".
    pub name: &'static str,
    /// What it does, for the user.
    pub help: &'static str,
    /// The request.
    pub code: Code,
    /// The words of which one must follow, each with the byte that is the request's body; none for most.
    pub words: &'static [(&'static str, u8)],
    /// What is lost for good, for the user. Ask before sending it.
    pub danger: Option<&'static str>,
    /// The body where no word follows.
    body: &'static [u8],
}

const fn action(name: &'static str, help: &'static str, code: Code, body: &'static [u8]) -> Action {
    Action {
        name,
        help,
        code,
        words: &[],
        danger: None,
        body,
    }
}

/// All actions. What turns a camera stands in [`PTZ_VERBS`](super::PTZ_VERBS).
#[rustfmt::skip] // one an action
pub const ACTIONS: &[Action] = &[
    action("photo", "takes a photo to the SD card", Code::K10058, &[1]),
    action("sd-pages", "starts a web server with the SD card's pictures for a while, at http://CAMERA/cgi-bin/hello.cgi?name=/", Code::K10148, &[0, 1, 0, 0, 0]),
    action("format-sd", "formats the SD card", Code::K10242, &[])
        .danger("all recordings on the SD card are lost"),
    action("quick-reply", "lets a doorbell say a phrase", Code::K11635, &[])
        .words(&[("can-i-help-you", 1), ("be-there-shortly", 2), ("leave-package", 3)]),
];

/// Why words are no action.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum ActionError {
    /// There is none of this name.
    UnknownAction,
    /// Another word must follow, or none.
    Usage(&'static Action),
}

impl fmt::Display for ActionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownAction => {
                f.write_str("a camera does one of:")?;
                ACTIONS.iter().enumerate().try_for_each(|(i, action)| {
                    write!(f, "{} {}", if i == 0 { "" } else { "," }, action.name)
                })
            }
            Self::Usage(action) if action.words.is_empty() => {
                write!(f, "nothing follows \"{}\"", action.name)
            }
            Self::Usage(action) => write!(
                f,
                "\"{}\" is followed by one of: {}",
                action.name,
                Values::Words(action.words)
            ),
        }
    }
}

impl core::error::Error for ActionError {}

impl Action {
    const fn words(mut self, words: &'static [(&'static str, u8)]) -> Self {
        self.words = words;
        self
    }

    const fn danger(mut self, danger: &'static str) -> Self {
        self.danger = Some(danger);
        self
    }

    /// The action that a user means by a name and the word behind it, and its request.
    ///
    /// # Errors
    /// What is wrong with the words.
    pub fn parse(
        name: &str,
        word: Option<&str>,
    ) -> Result<(&'static Self, SettingRequest), ActionError> {
        let action = ACTIONS
            .iter()
            .find(|a| a.name == name)
            .ok_or(ActionError::UnknownAction)?;
        let request = action.request(word).ok_or(ActionError::Usage(action))?;
        Ok((action, request))
    }

    fn request(&self, word: Option<&str>) -> Option<SettingRequest> {
        let said = match word {
            None if self.words.is_empty() => None,
            None => return None,
            Some(word) => Some(self.words.iter().find(|(w, _)| *w == word)?.1),
        };
        let bytes = said.as_ref().map_or(self.body, core::slice::from_ref);
        let mut body = [0; MAX_BODY];
        body.get_mut(..bytes.len())?.copy_from_slice(bytes);
        Some(SettingRequest {
            code: self.code,
            body,
            len: bytes.len(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn actions_become_the_documented_bytes() {
        for (name, word, code, body) in [
            ("photo", None, 10058, &[1][..]),
            ("sd-pages", None, 10148, &[0, 1, 0, 0, 0]),
            ("format-sd", None, 10242, &[]),
            ("quick-reply", Some("can-i-help-you"), 11635, &[1]),
            ("quick-reply", Some("be-there-shortly"), 11635, &[2]),
            ("quick-reply", Some("leave-package"), 11635, &[3]),
        ] {
            let (action, request) = Action::parse(name, word).unwrap();
            assert_eq!((action.name, action.code), (name, Code(code)));
            assert_eq!(request.code, action.code);
            assert_eq!(&request.body[..request.len], body, "{name}");
        }
    }

    #[test]
    fn what_cannot_be_undone_says_so() {
        let dangerous: Vec<_> = ACTIONS.iter().filter(|a| a.danger.is_some()).collect();
        assert_eq!(dangerous.len(), 1);
        assert_eq!(dangerous[0].name, "format-sd");
    }

    #[test]
    fn wrong_words_are_told_the_right_ones() {
        let told = |name, word| Action::parse(name, word).unwrap_err().to_string();
        assert_eq!(
            told("dance", None),
            "a camera does one of: photo, sd-pages, format-sd, quick-reply"
        );
        assert_eq!(told("photo", Some("now")), "nothing follows \"photo\"");
        for word in [None, Some("hello"), Some("1")] {
            let text = told("quick-reply", word);
            assert!(text.ends_with("be-there-shortly, leave-package"), "{text}");
        }
    }
}
