//! Pushing: sending many records to a counterpart in few requests.
//!
//! A counterpart that refuses a request as a whole rarely says which of its records is to blame. The
//! others must not suffer for it, and none is asked for one by one while many are good: the batch is
//! cut in halves until the bad ones stand alone.

use crate::model::Fault;

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

#[cfg(test)]
mod tests {
    use super::bisected;
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
}
