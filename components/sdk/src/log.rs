//! The macros that write the run's log; see [`info!`](crate::info).

use crate::model::{Level, Reason};
use crate::runtime::run;

/// Writes one line; the macros lead here.
pub fn line(level: Level, record: Option<&str>, reason: &Reason) {
    run::log(level, reason, record);
}

/// Writes a line of use to developers only, in English: takes what [`format!`] takes.
#[macro_export]
macro_rules! debug {
    ($($line:tt)+) => { $crate::runtime::run::debug(&::std::format!($($line)+)) };
}

/// Writes a line to the run's log, by what [`reason!`](crate::reason!) takes or by a reason:
/// `info!("sources.read", number = count)`, or tied to a record of the platform that people can
/// open: `info!(record = key, "partner.matched", name = name)`.
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
    (@ $level:ident, $record:expr, $code:literal $($args:tt)*) => {
        $crate::log_line!(@ $level, $record, $crate::reason!($code $($args)*))
    };
    (@ $level:ident, $record:expr, $reason:expr) => {
        $crate::log::line($crate::model::Level::$level, $record, &$reason)
    };
    ($level:ident, record = $record:expr, $($line:tt)+) => {
        $crate::log_line!(
            @ $level,
            ::core::option::Option::Some(::core::convert::AsRef::<str>::as_ref(&$record)),
            $($line)+
        )
    };
    ($level:ident, $($line:tt)+) => {
        $crate::log_line!(@ $level, ::core::option::Option::None, $($line)+)
    };
}
