//! Holds the simulators against the vendors' own descriptions of their APIs.

mod description;
mod keycrm;
mod moysklad;
