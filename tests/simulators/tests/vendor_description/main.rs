//! Holds the simulators against the vendors' own descriptions of their APIs.

mod keycrm;
mod moysklad;
