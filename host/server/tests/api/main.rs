//! The HTTP API, over real HTTP on loopback, with a real service on a folder of its own.

mod access;
mod connections;
mod description;
mod keys;
mod languages;
mod refusals;
mod repeats;
mod support;
mod tenants;
