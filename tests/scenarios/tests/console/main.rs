//! The console in a real browser, over a real server, a real component and a simulated counterpart:
//! what admins and people of shops do with it, in all languages, by mouse and by keyboard alone.
//!
//! Pictures of the pages are left in `target/console`.

mod browser;
mod embedding;
mod journeys;
mod pages;
mod rights;
mod site;
mod standing;
mod unsaved;
mod words;
