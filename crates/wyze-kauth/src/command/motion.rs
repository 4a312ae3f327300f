//! Motion: alarm, tagging, tracking.

use super::{Raw, Switch, body, command};

command! {
    /// Reads the motion alarm (K10200).
    GetMotionAlarm {} = K10200 -> MotionAlarm
}

body! {
    /// The reply to [`GetMotionAlarm`].
    MotionAlarm {
        /// Whether motion raises an alarm.
        on: bool,
        /// How little motion does, by the camera's own number.
        sensitivity: u8,
    }
}

command! {
    /// Switches the motion alarm of the oldest models (K10202); [`Model::motion_alarm`](crate::Model) tells which.
    SetEarlyMotionAlarm {
        /// Whether motion raises an alarm.
        on: bool,
    } [0] = K10202 -> Raw<'p>
}

command! {
    /// Switches the motion alarm (K10206) of all models but the oldest.
    SetMotionAlarm {
        /// Whether motion raises an alarm.
        on: bool,
    } [0] = K10206 -> Raw<'p>
}

command! {
    /// Reads whether moving things are framed in green (K10290).
    GetMotionTagging {} = K10290 -> Switch
}

command! {
    /// Sets whether moving things are framed in green (K10292).
    SetMotionTagging {
        /// Whether they are.
        on: bool,
    } = K10292 -> Raw<'p>
}

command! {
    /// Reads whether the camera turns after what moves (K11020).
    GetMotionTracking {} = K11020 -> Switch
}

command! {
    /// Sets whether the camera turns after what moves (K11022).
    SetMotionTracking {
        /// Whether it does.
        on: bool,
    } = K11022 -> Raw<'p>
}
