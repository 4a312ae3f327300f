//! What the camera writes into the picture.

use super::{Raw, Switch, command};

command! {
    /// Reads whether the picture shows the time (K10070).
    GetOsdTime {} = K10070 -> Switch
}

command! {
    /// Sets whether the picture shows the time (K10072).
    SetOsdTime {
        /// Whether it does.
        on: bool,
    } = K10072 -> Raw<'p>
}

command! {
    /// Reads whether the picture shows the logo (K10074).
    GetOsdLogo {} = K10074 -> Switch
}

command! {
    /// Sets whether the picture shows the logo (K10076).
    SetOsdLogo {
        /// Whether it does.
        on: bool,
    } = K10076 -> Raw<'p>
}
