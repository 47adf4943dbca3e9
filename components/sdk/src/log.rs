//! The macros that write the run's log; see [`info!`](crate::info).

use std::fmt::Arguments;

use crate::model::{Level, Reason};
use crate::runtime::run;

/// Writes one line; the macros lead here.
pub fn line(level: Level, record: Option<&str>, message: Arguments<'_>) {
    run::log(level, &Reason::from(message.to_string()), record);
}

/// Writes a line of use to developers only. Takes what [`info!`](crate::info) takes.
#[macro_export]
macro_rules! debug {
    ($($line:tt)+) => { $crate::runtime::run::debug(&::std::format!($($line)+)) };
}

/// Writes a line to the run's log: `info!("{count} sources")`, or tied to a record that people can
/// open: `info!(record = key, "matched by phone")`.
#[macro_export]
macro_rules! info {
    ($($line:tt)+) => { $crate::log_line!(Info, $($line)+) };
}

/// Writes a line about something that people should look at. Takes what [`info!`](crate::info) takes.
#[macro_export]
macro_rules! warn {
    ($($line:tt)+) => { $crate::log_line!(Warn, $($line)+) };
}

/// Writes a line about something that went wrong. Takes what [`info!`](crate::info) takes.
#[macro_export]
macro_rules! error {
    ($($line:tt)+) => { $crate::log_line!(Error, $($line)+) };
}

#[doc(hidden)]
#[macro_export]
macro_rules! log_line {
    ($level:ident, record = $record:expr, $($message:tt)+) => {
        $crate::log::line(
            $crate::model::Level::$level,
            ::core::option::Option::Some(::core::convert::AsRef::<str>::as_ref(&$record)),
            ::core::format_args!($($message)+),
        )
    };
    ($level:ident, $($message:tt)+) => {
        $crate::log::line(
            $crate::model::Level::$level,
            ::core::option::Option::None,
            ::core::format_args!($($message)+),
        )
    };
}
