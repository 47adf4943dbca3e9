//! What a run has to say about the list of failed records, in the order in which it says it.
//!
//! A connector names the records that it could not take. That it took one later, nobody says; but
//! whenever both sides agree on a record, it binds the two with a fingerprint of what they agreed on,
//! and the name by which people know the record is in that pair: it is the key, or the end of the
//! origin. What is bound counts when it is committed, with the next checkpoint.

use std::collections::HashSet;

use tenon_host::report::RejectedRecord;

/// Most records that a run lists. A counterpart that answers nothing but nonsense must not fill the
/// database with it.
const MOST: usize = 1_000;

/// Kind and id of a record.
type Name = (String, String);

/// Something that the list is to be told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum News {
    /// It could not be taken.
    Failed(RejectedRecord),
    /// It was taken after all.
    Taken(Name),
}

/// The news of one run.
#[derive(Debug, Default)]
pub struct Failures {
    /// On the list, as far as this run knows.
    listed: HashSet<Name>,
    /// Taken since the last checkpoint.
    uncommitted: Vec<Name>,
    news: Vec<News>,
    named: usize,
    unnamed: bool,
}

impl Failures {
    /// Of a run that begins while these are on the list.
    pub fn new(listed: impl IntoIterator<Item = Name>) -> Failures {
        Failures {
            listed: listed.into_iter().collect(),
            ..Failures::default()
        }
    }

    /// A record could not be taken.
    pub fn rejected(&mut self, record: &RejectedRecord) {
        if self.named >= MOST {
            self.unnamed = true;
            return;
        }
        self.named += 1;
        let name = (record.kind.clone(), record.id.clone());
        self.uncommitted.retain(|taken| *taken != name);
        self.listed.insert(name);
        self.news.push(News::Failed(record.clone()));
    }

    /// Both sides agree on a record.
    pub fn agreed(&mut self, kind: &str, key: &str, origin: &str) {
        if self.listed.is_empty() {
            return;
        }
        let end = origin.rsplit(':').next().unwrap_or(origin);
        for id in [key, end] {
            let name = (kind.to_owned(), id.to_owned());
            if self.listed.remove(&name) {
                self.uncommitted.push(name);
            }
        }
    }

    /// All of it is committed.
    pub fn committed(&mut self) {
        let taken = self.uncommitted.drain(..);
        self.news.extend(taken.map(News::Taken));
    }

    /// The news since this was called last.
    pub fn take(&mut self) -> Vec<News> {
        std::mem::take(&mut self.news)
    }

    /// Takes news back that could not be told.
    pub fn put_back(&mut self, untold: Vec<News>) {
        self.news.splice(0..0, untold);
    }

    /// Whether every record that could not be taken was named.
    pub fn named_all(&self) -> bool {
        !self.unnamed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(kind: &str, id: &str) -> Name {
        (kind.to_owned(), id.to_owned())
    }

    fn record(id: &str) -> RejectedRecord {
        RejectedRecord {
            kind: "order".to_owned(),
            id: id.to_owned(),
            subject: tenon_host::report::Subject::Origin(id.to_owned()),
            reason: "it has no partner".to_owned(),
            why: tenon_host::Reason::new("order.no-partner"),
        }
    }

    #[test]
    fn a_listed_record_is_taken_when_both_sides_agree_on_it_and_that_is_committed() {
        let mut run = Failures::new([name("order", "7"), name("order", "shop-8")]);
        run.agreed("order", "erp-1", "keycrm:order:7");
        run.agreed("order", "shop-8", "moysklad:customerorder:c0ffee");
        // Others that are not listed, or are of another kind.
        run.agreed("product", "erp-2", "keycrm:product:7");
        run.agreed("order", "erp-3", "keycrm:order:77");
        assert_eq!(Vec::<News>::new(), run.take());
        run.committed();
        let taken = vec![
            News::Taken(name("order", "7")),
            News::Taken(name("order", "shop-8")),
        ];
        assert_eq!(taken, run.take());
        run.committed();
        assert!(run.take().is_empty());
    }

    #[test]
    fn of_a_record_that_is_met_twice_the_last_word_counts() {
        let mut run = Failures::new([name("order", "1")]);
        run.agreed("order", "1", "a");
        run.rejected(&record("1"));
        run.committed();
        assert_eq!(vec![News::Failed(record("1"))], run.take());
        run.agreed("order", "1", "a");
        run.committed();
        assert_eq!(vec![News::Taken(name("order", "1"))], run.take());
    }

    #[test]
    fn a_run_that_rejects_everything_names_so_many_and_says_that_there_are_more() {
        let mut run = Failures::default();
        for id in 0..MOST {
            run.rejected(&record(&id.to_string()));
        }
        assert!(run.named_all());
        run.rejected(&record("more"));
        assert!(!run.named_all());
        assert_eq!(MOST, run.take().len());
    }
}
