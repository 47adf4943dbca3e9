//! What a run has to say about the list of failed records, in the order in which it says it.
//!
//! A connector names the records that it could not take, each by the name that it has on the side it
//! comes from: its origin at the counterpart, or its key on the platform. Such a record leaves the list
//! when both sides agree on it, because the connector binds the two with a fingerprint or the platform
//! has saved it, and when the connector says that nothing is wanted of it any more. Only the same kind
//! and the same name on the same side is the same record: a key that reads like another record's
//! origin says nothing. What leaves the list does so when it is committed, with the next checkpoint.

use std::collections::HashSet;

use tenon_host::report::{RejectedRecord, Subject};

/// Most records that a run lists. A counterpart that answers nothing but nonsense must not fill the
/// database with it.
const MOST: usize = 1_000;

/// Kind of a record, and which one it is.
pub type Name = (String, Subject);

/// Something that the list is to be told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum News {
    /// It could not be taken.
    Failed(RejectedRecord),
    /// It is none that could not be taken, any more.
    Settled(Name),
}

/// The news of one run.
#[derive(Debug, Default)]
pub struct Failures {
    /// On the list, as far as this run knows.
    listed: HashSet<Name>,
    /// Settled since the last checkpoint.
    uncommitted: Vec<Name>,
    news: Vec<News>,
    named: usize,
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
            return;
        }
        self.named += 1;
        let name = (record.kind.clone(), record.subject.clone());
        self.uncommitted.retain(|settled| *settled != name);
        self.listed.insert(name);
        self.news.push(News::Failed(record.clone()));
    }

    /// Both sides agree on a record.
    pub fn agreed(&mut self, kind: &str, key: &str, origin: &str) {
        if self.listed.is_empty() {
            return;
        }
        self.settle(kind, Subject::Key(key.to_owned()));
        self.settle(kind, Subject::Origin(origin.to_owned()));
    }

    /// Nothing is wanted of these records any more.
    pub fn settled(&mut self, kind: &str, subjects: &[Subject]) {
        for subject in subjects {
            self.settle(kind, subject.clone());
        }
    }

    fn settle(&mut self, kind: &str, subject: Subject) {
        let name = (kind.to_owned(), subject);
        if self.listed.remove(&name) {
            self.uncommitted.push(name);
        }
    }

    /// All of it is committed.
    pub fn committed(&mut self) {
        let settled = self.uncommitted.drain(..);
        self.news.extend(settled.map(News::Settled));
    }

    /// The news since this was called last.
    pub fn take(&mut self) -> Vec<News> {
        std::mem::take(&mut self.news)
    }

    /// Takes news back that could not be told.
    pub fn put_back(&mut self, untold: Vec<News>) {
        self.news.splice(0..0, untold);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn origin(kind: &str, origin: &str) -> Name {
        (kind.to_owned(), Subject::Origin(origin.to_owned()))
    }

    fn key(kind: &str, key: &str) -> Name {
        (kind.to_owned(), Subject::Key(key.to_owned()))
    }

    fn settled(names: impl IntoIterator<Item = Name>) -> Vec<News> {
        names.into_iter().map(News::Settled).collect()
    }

    fn record(origin: &str) -> RejectedRecord {
        RejectedRecord {
            kind: "order".to_owned(),
            id: "7".to_owned(),
            subject: Subject::Origin(origin.to_owned()),
            reason: "it has no partner".to_owned(),
            why: tenon_host::Reason::new("order.no-partner"),
        }
    }

    #[test]
    fn a_listed_record_is_taken_when_both_sides_agree_on_it_and_that_is_committed() {
        let mut run = Failures::new([origin("order", "keycrm:1:order:7"), key("order", "shop-8")]);
        run.agreed("order", "erp-1", "keycrm:1:order:7");
        run.agreed("order", "shop-8", "moysklad:1:customerorder:c0ffee");
        // Others that are not listed, or are of another kind.
        run.agreed("product", "erp-2", "keycrm:1:product:7");
        run.agreed("order", "erp-3", "keycrm:1:order:77");
        assert_eq!(Vec::<News>::new(), run.take());
        run.committed();
        let taken = settled([origin("order", "keycrm:1:order:7"), key("order", "shop-8")]);
        assert_eq!(taken, run.take());
        run.committed();
        assert!(run.take().is_empty());
    }

    #[test]
    fn a_key_that_reads_like_the_origin_of_another_record_takes_none_off_the_list() {
        let mut run = Failures::new([origin("order", "1041"), origin("order", "crm:1:order:1041")]);
        run.agreed("order", "1041", "crm:1:order:5");
        run.agreed("order", "crm:1:order:1041", "");
        run.agreed("order", "5", "crm:2:order:1041");
        run.settled("order", &[Subject::Key("1041".to_owned())]);
        run.committed();
        assert!(run.take().is_empty());
        run.settled("order", &[Subject::Origin("1041".to_owned())]);
        run.committed();
        assert_eq!(settled([origin("order", "1041")]), run.take());
    }

    #[test]
    fn of_a_record_that_is_met_twice_the_last_word_counts() {
        let mut run = Failures::new([origin("order", "a")]);
        run.agreed("order", "1", "a");
        run.rejected(&record("a"));
        run.committed();
        assert_eq!(vec![News::Failed(record("a"))], run.take());
        run.agreed("order", "1", "a");
        run.committed();
        assert_eq!(settled([origin("order", "a")]), run.take());
    }

    #[test]
    fn a_run_that_rejects_everything_lists_so_many_and_no_more() {
        let mut run = Failures::default();
        for id in 0..=MOST {
            run.rejected(&record(&id.to_string()));
        }
        assert_eq!(MOST, run.take().len());
    }
}
