//! Lights and the siren: status light, night vision, infrared, spotlight, floodlight.

use super::{Done, Raw, Switch, body, byte_enum, command};

command! {
    /// Reads whether the status light is on (K10030).
    GetStatusLight {} = K10030 -> Switch
}

command! {
    /// Switches the status light (K10032).
    SetStatusLight {
        /// Whether it lights.
        on: bool,
    } = K10032 -> Done
}

byte_enum! {
    /// When the camera sees by infrared.
    NightVision {
        /// 1: always.
        On = 1,
        /// 2: never.
        Off = 2,
        /// 3: when it is dark.
        Auto = 3,
    }
}

command! {
    /// Reads night vision (K10040).
    GetNightVision {} = K10040 -> NightVisionState
}

body! {
    /// The reply to [`GetNightVision`].
    NightVisionState {
        /// When the camera sees by infrared.
        mode: NightVision,
    }
}

command! {
    /// Sets night vision (K10042).
    SetNightVision {
        /// When the camera shall see by infrared.
        mode: NightVision,
    } = K10042 -> Done
}

byte_enum! {
    /// Which infrared light night vision uses.
    IrLed {
        /// 1: 850 nm, which reaches far and glows faintly.
        Nm850 = 1,
        /// 2: 940 nm, which is invisible.
        Nm940 = 2,
    }
}

command! {
    /// Reads which infrared light is used (K10044).
    GetIrLed {} = K10044 -> IrLight
}

body! {
    /// The reply to [`GetIrLed`].
    IrLight {
        /// Which infrared light is used.
        led: IrLed,
    }
}

command! {
    /// Chooses the infrared light (K10046).
    SetIrLed {
        /// Which infrared light to use.
        led: IrLed,
    } = K10046 -> Done
}

command! {
    /// Reads whether it is night (K10620). What the reply says is not known.
    CheckNight {} = K10620 -> Raw<'p>
}

byte_enum! {
    /// How dark it must be for night vision to begin.
    NightSwitch {
        /// 1: dusk.
        Dusk = 1,
        /// 2: dark.
        Dark = 2,
    }
}

command! {
    /// Reads how dark it must be for night vision (K10624).
    GetNightSwitch {} = K10624 -> NightSwitchState
}

body! {
    /// The reply to [`GetNightSwitch`].
    NightSwitchState {
        /// How dark it must be.
        condition: NightSwitch,
    }
}

command! {
    /// Sets how dark it must be for night vision (K10626).
    SetNightSwitch {
        /// How dark it must be.
        condition: NightSwitch,
    } = K10626 -> Raw<'p>
}

command! {
    /// Switches siren and flash light (K10630).
    SetSiren {
        /// Whether the siren sounds.
        siren: bool,
        /// Whether the light flashes.
        flash: bool,
    } = K10630 -> Raw<'p>
}

command! {
    /// Reads siren and flash light (K10632).
    GetSiren {} = K10632 -> SirenState
}

body! {
    /// The reply to [`GetSiren`].
    SirenState {
        /// Whether the siren sounds.
        siren: bool,
        /// Whether the light flashes.
        flash: bool,
    }
}

command! {
    /// Reads whether the spotlight is on (K10640).
    GetSpotlight {} = K10640 -> Switch
}

command! {
    /// Switches the spotlight (K10646).
    SetSpotlight {
        /// Whether it lights.
        on: bool,
    } = K10646 -> Raw<'p>
}

command! {
    /// Reads about a built-in floodlight (K10788). What the reply says is not known.
    GetFloodlightInfo {} = K10788 -> Raw<'p>
}

command! {
    /// Reads about a white light (K10820). What the reply says is not known.
    GetWhiteLightInfo {} = K10820 -> Raw<'p>
}

command! {
    /// Switches the floodlight (K12060).
    SetFloodlight {
        /// Whether it lights.
        on: bool,
    } = K12060 -> Raw<'p>
}
