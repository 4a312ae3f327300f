//! `trace!`, `debug!` and `warn!` over `log` and `defmt`, both optional, both at once allowed.
//!
//! The `cfg`s are evaluated in the crate that *uses* a macro, so every crate of the stack declares the features `log` and
//! `defmt` for itself and stays independent of what others switched on. With both on, `log` is written to: it links
//! everywhere, `defmt` only into firmware that has its logger. With neither, arguments are type-checked and vanish.
//!
//! Levels: `warn` = we gave up on something the user asked for; `debug` = an input was dropped; `trace` = each packet.
//! No secret and no identity (UID, ENR, MAC, keys) may be an argument.

/// Logs that something the user asked for was given up.
#[macro_export]
macro_rules! warn {
    ($($arg:tt)*) => { $crate::__log!(warn, $($arg)*) };
}

/// Logs that an input was dropped, and why.
#[macro_export]
macro_rules! debug {
    ($($arg:tt)*) => { $crate::__log!(debug, $($arg)*) };
}

/// Logs one packet.
#[macro_export]
macro_rules! trace {
    ($($arg:tt)*) => { $crate::__log!(trace, $($arg)*) };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __log {
    ($level:ident, $($arg:tt)*) => {{
        #[cfg(feature = "log")]
        ::log::$level!($($arg)*);
        #[cfg(all(feature = "defmt", not(feature = "log")))]
        ::defmt::$level!($($arg)*);
        #[cfg(not(any(feature = "log", feature = "defmt")))]
        if false {
            let _ = ::core::format_args!($($arg)*);
        }
    }};
}
