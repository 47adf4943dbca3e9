//! The brake: absence is not an order.
//!
//! What a list does not have any more may be gone, or the credential may not see it any more, or the
//! report came short. So before a job removes, archives or zeroes what seems to be gone it asks here.
//! A few the host lets pass; beyond that people are asked, and until they agree the answer is no: the
//! job leaves everything as it is and remembers it, so that its next run finds the same and asks again.

use crate::import::fingerprint;
use crate::model::{Question, Reason};
use crate::runtime::run;

/// Version of what a question's digest is made of.
const FACTS: u8 = 1;

/// Names of records that people are shown.
const SAMPLES: usize = 20;

/// Whether to go ahead with records that seem to be gone, each as its id and its name for people: all
/// of them or none. `total` is how many of the kind there are, with these; `reason` says what is about
/// to happen and why that may be wrong.
pub fn confirmed(kind: &str, reason: Reason, gone: &mut [(String, String)], total: u64) -> bool {
    if gone.is_empty() {
        return true;
    }
    gone.sort_unstable();
    let ids: Vec<&str> = gone.iter().map(|(id, _)| id.as_str()).collect();
    run::confirmed(&Question {
        reason,
        record_kind: kind.to_owned(),
        affected: gone.len() as u64,
        total: total.max(gone.len() as u64),
        samples: (gone.iter().take(SAMPLES))
            .map(|(_, name)| name.clone())
            .collect(),
        facts: fingerprint(FACTS, &ids),
    })
}
