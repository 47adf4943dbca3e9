//! Pushing: sending many records to a counterpart in few requests.
//!
//! A counterpart that refuses a request as a whole rarely says which of its records is to blame. The
//! others must not suffer for it, and none is asked for one by one while many are good: the batch is
//! cut in halves until the bad ones stand alone.
//!
//! [`Fields`]: what of an object is sent, kept so that only what differs is sent again; [`lines`]: the
//! lines of a document that people at the counterpart work on, too.

pub mod fields;
pub mod lines;

use crate::model::Fault;

pub use fields::Fields;

/// Sends records as few requests as possible; each has its outcome, at its place.
///
/// `send` gets a batch and answers with an outcome for each of its records, or with the refusal of the
/// whole batch, which counts for a record only when it is alone in its batch.
///
/// # Errors
/// The fault of a request, which no record is to blame for.
pub fn bisected<T, R, E>(
    records: &[T],
    send: &mut impl FnMut(&[T]) -> Result<Result<Vec<Result<R, E>>, E>, Fault>,
) -> Result<Vec<Result<R, E>>, Fault> {
    if records.is_empty() {
        return Ok(Vec::new());
    }
    match send(records)? {
        Ok(outcomes) => Ok(outcomes),
        Err(refusal) if records.len() == 1 => Ok(vec![Err(refusal)]),
        Err(_) => {
            let (first, second) = records.split_at(records.len() / 2);
            let mut outcomes = bisected(first, send)?;
            outcomes.extend(bisected(second, send)?);
            Ok(outcomes)
        }
    }
}

/// Records in as few portions as requests can hold, each of so many at most and of so much weight.
pub fn portions<T>(
    records: &[T],
    most: usize,
    heaviest: usize,
    weight: impl Fn(&T) -> usize,
) -> Vec<&[T]> {
    let mut portions = Vec::new();
    let (mut begin, mut sum) = (0, 0);
    for (place, record) in records.iter().enumerate() {
        let own = weight(record);
        if place > begin && (place - begin == most || sum + own > heaviest) {
            portions.push(&records[begin..place]);
            (begin, sum) = (place, 0);
        }
        sum += own;
    }
    if begin < records.len() {
        portions.push(&records[begin..]);
    }
    portions
}

/// Sends those records again whose refusal is no more than haste, such as a change by somebody else at
/// the same moment: so many times at most.
///
/// # Errors
/// The fault of a request.
pub fn again<T: Clone, R, E>(
    records: &[T],
    outcomes: &mut [Result<R, E>],
    times: usize,
    is_haste: impl Fn(&E) -> bool,
    mut send: impl FnMut(&[T]) -> Result<Vec<Result<R, E>>, Fault>,
) -> Result<(), Fault> {
    for _ in 0..times {
        let hasty: Vec<usize> = (0..outcomes.len())
            .filter(|place| matches!(&outcomes[*place], Err(refusal) if is_haste(refusal)))
            .collect();
        if hasty.is_empty() {
            break;
        }
        let some: Vec<T> = hasty.iter().map(|place| records[*place].clone()).collect();
        for (place, outcome) in hasty.into_iter().zip(send(&some)?) {
            outcomes[place] = outcome;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{again, bisected, portions};
    use crate::model::Fault;
    use crate::reason;

    #[test]
    fn one_bad_record_of_a_hundred_costs_a_few_requests_and_spoils_no_other() {
        let records: Vec<u32> = (0..100).collect();
        let mut requests = 0;
        let outcomes = bisected(&records, &mut |some: &[u32]| {
            requests += 1;
            Ok(match some.contains(&70) {
                true => Err("bad"),
                false => Ok(some.iter().map(|one| Ok(one * 2)).collect()),
            })
        });
        let outcomes = outcomes.expect("no fault");
        assert_eq!(outcomes.len(), 100);
        assert_eq!(outcomes[70], Err("bad"));
        assert!((0..100).all(|one| one == 70 || outcomes[one as usize] == Ok(one * 2)));
        assert!(requests <= 15, "{requests}");
    }

    #[test]
    fn nothing_is_sent_for_no_records_and_a_fault_ends_it() {
        let mut send = |_: &[u32]| -> Result<Result<Vec<Result<u32, ()>>, ()>, Fault> {
            Err(Fault::Transient(reason!("sdk.number")))
        };
        assert_eq!(bisected(&[], &mut send), Ok(Vec::new()));
        assert!(bisected(&[1, 2], &mut send).is_err());
    }

    #[test]
    fn records_go_in_as_many_requests_as_their_number_and_weight_ask_for() {
        let lengths = |weights: &[usize]| -> Vec<usize> {
            let portions = portions(weights, 3, 10, |weight| *weight);
            portions.iter().map(|some| some.len()).collect()
        };
        assert!(lengths(&[]).is_empty());
        assert_eq!(lengths(&[1; 3]), [3]);
        assert_eq!(lengths(&[1; 4]), [3, 1]);
        assert_eq!(lengths(&[6, 1, 6]), [2, 1]);
        assert_eq!(lengths(&[11, 11]), [1, 1]);
    }

    #[test]
    fn what_was_refused_for_haste_alone_is_sent_again_a_few_times() {
        let mut outcomes = vec![Ok(1), Err("haste"), Err("bad")];
        let mut sent = Vec::new();
        let done = again(
            &["a", "b", "c"],
            &mut outcomes,
            2,
            |one| *one == "haste",
            |some| {
                sent.push(some.to_vec());
                let is_last = sent.len() == 2;
                Ok(some
                    .iter()
                    .map(|_| if is_last { Ok(2) } else { Err("haste") })
                    .collect())
            },
        );
        assert_eq!(done, Ok(()));
        assert_eq!(outcomes, [Ok(1), Ok(2), Err("bad")]);
        assert_eq!(sent, [["b"], ["b"]]);
    }
}
