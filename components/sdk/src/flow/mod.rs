//! Flows: how records go from one side to the other. A connector says what its counterpart is like;
//! what every flow needs is here once.

pub mod balances;
pub mod cards;
pub mod follow;
pub mod keep;
pub mod levels;
pub mod moving;
pub mod needs;
pub mod notes;
pub mod pictures;
pub mod pull;
pub mod send;
pub mod stocktake;
pub mod tree;
