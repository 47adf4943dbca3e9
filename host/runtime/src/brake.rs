//! The brake: how much of one kind a run may remove, archive or zero before people are asked.
//!
//! The threat is a mistake rather than malice: rights that were narrowed, a report that came short, a
//! mapping that went wrong, and with it hundreds of records that only seem to be gone. So what counts
//! is the sum of a run: many small portions are one large one.
//!
//! The host cannot see whether a component asks, nor whether it keeps to the answer.

use std::collections::HashMap;

use sha2::Digest as _;

use crate::limits::Limits;

/// Kinds of records that a run is counted by; further ones share one count.
const KINDS: usize = 100;

/// What a run was let do so far without an answer of people, by kind of record.
#[derive(Debug, Default)]
pub(crate) struct Brake {
    passed: HashMap<String, Passed>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Passed {
    affected: u64,
    /// The largest whole that was named.
    total: u64,
}

impl Brake {
    /// Whether so many more of so many may go without asking. Those that may are counted.
    pub fn lets_pass(&mut self, limits: &Limits, kind: &str, affected: u64, total: u64) -> bool {
        let room = self.passed.len() < KINDS || self.passed.contains_key(kind);
        let kind = if room { kind } else { "" };
        let before = self.passed.get(kind).copied().unwrap_or_default();
        let sum = Passed {
            affected: before.affected.saturating_add(affected),
            total: before.total.max(total),
        };
        let passes = affected == 0 || sum.is_little(limits);
        if passes && affected > 0 {
            self.passed.insert(kind.to_owned(), sum);
        }
        passes
    }
}

impl Passed {
    fn is_little(self, limits: &Limits) -> bool {
        let few = self.affected <= limits.brake_records;
        let share = u128::from(self.affected) * 100;
        few || share <= u128::from(self.total) * u128::from(limits.brake_percent)
    }
}

/// Names a question by all that it asks, so that an answer counts for nothing else.
pub(crate) fn question_id(
    job: &str,
    code: &str,
    kind: &str,
    numbers: [u64; 2],
    facts: &[u8],
) -> String {
    let mut digest = sha2::Sha256::new();
    let numbers = numbers.map(u64::to_le_bytes);
    let parts = [
        job.as_bytes(),
        code.as_bytes(),
        kind.as_bytes(),
        numbers.as_flattened(),
        facts,
    ];
    for part in parts {
        digest.update((part.len() as u64).to_le_bytes());
        digest.update(part);
    }
    hex::encode(&digest.finalize()[..12])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_records_pass_and_a_small_share_of_many() {
        let limits = Limits::default();
        for (affected, total, passes) in [
            (0, 0, true),
            (10, 10, true),
            (11, 11, false),
            (11, 109, false),
            (11, 110, true),
            (180, 200, false),
            (u64::MAX, u64::MAX, false),
        ] {
            let mut brake = Brake::default();
            let passed = brake.lets_pass(&limits, "product", affected, total);
            assert_eq!(passes, passed, "{affected} of {total}");
        }
    }

    #[test]
    fn small_portions_are_counted_together_by_kind() {
        let (limits, mut brake) = (Limits::default(), Brake::default());
        let mut passed = Vec::new();
        for _ in 0..18 {
            passed.push(brake.lets_pass(&limits, "product", 10, 200));
        }
        assert_eq!(
            [true, true, false],
            passed[..3],
            "20 of 200 is the tenth part"
        );
        assert!(!passed[2..].contains(&true));
        assert!(brake.lets_pass(&limits, "product", 0, 200));
        assert!(brake.lets_pass(&limits, "category", 10, 10), "another kind");
        // What does not pass is not counted.
        assert!(brake.lets_pass(&limits, "product", 10, 300));
    }

    #[test]
    fn made_up_kinds_share_one_count() {
        let (limits, mut brake) = (Limits::default(), Brake::default());
        let kinds = (0..10_000).map(|number| format!("kind {number}"));
        let passed = kinds.filter(|kind| brake.lets_pass(&limits, kind, 1, 1));
        assert_eq!(KINDS as u64 + limits.brake_records, passed.count() as u64);
        assert!(brake.passed.len() <= KINDS + 1);
    }

    #[test]
    fn an_answer_counts_only_for_what_was_asked() {
        let id = |job: &str, code: &str, numbers, facts: &[u8]| {
            question_id(job, code, "product", numbers, facts)
        };
        let one = id("products", "gone", [180, 200], b"abc");
        assert_eq!(one, id("products", "gone", [180, 200], b"abc"));
        assert_ne!(one, id("stock", "gone", [180, 200], b"abc"));
        assert_ne!(one, id("products", "zero", [180, 200], b"abc"));
        assert_ne!(one, id("products", "gone", [181, 200], b"abc"));
        assert_ne!(one, id("products", "gone", [180, 201], b"abc"));
        assert_ne!(one, id("products", "gone", [180, 200], b"abd"));
    }
}
