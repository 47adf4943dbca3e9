//! What a connection keeps, as one value.
//!
//! A platform with many bindings implements [`State`] over tables of its own. One that would rather
//! begin with a single column, document or value in memory reads a [`Kept`] when a unit of work
//! begins, implements [`Keeping`], and writes it back, together with the records, when it commits.

use std::collections::BTreeMap;

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::model::{Fault, Key, Origin, Reason};
use crate::platform::{Account, Answer, Binding, State, Timer};

/// Storage, bindings and timers of one connection.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Kept {
    #[serde(default)]
    account: Option<Account>,
    /// What was kept of other accounts, by their ids.
    #[serde(default)]
    aside: BTreeMap<String, Kept>,
    stored: BTreeMap<String, Vec<u8>>,
    /// In the order of making.
    bindings: Vec<Binding>,
    timers: BTreeMap<String, Timer>,
    /// With the state version that it is of.
    snapshot: Option<(u32, Box<Kept>)>,
}

/// A unit of work that holds all that its connection keeps: [`State`] follows from that, but for
/// fences, which only the platform's own transactions can keep.
pub trait Keeping: Send {
    /// What the connection keeps, with what this unit has changed.
    fn kept(&mut self) -> &mut Kept;
}

impl Kept {
    fn bound(&self, kind: &str, fits: impl Fn(&Binding) -> bool) -> Option<Binding> {
        let mut bindings = self.bindings.iter();
        let found = bindings.find(|binding| binding.kind == kind && fits(binding));
        found.cloned()
    }

    fn pair_of(&mut self, kind: &str, origin: &str) -> Option<&mut Binding> {
        let mut bindings = self.bindings.iter_mut();
        bindings.find(|binding| binding.kind == kind && binding.origin == origin)
    }
}

#[async_trait]
impl<T: Keeping> State for T {
    async fn account(&mut self) -> Answer<Option<Account>> {
        Ok(self.kept().account.clone())
    }

    async fn set_account(&mut self, account: Account) -> Answer<()> {
        let kept = self.kept();
        if let Some(before) = &kept.account
            && before.id != account.id
        {
            let before = before.id.clone();
            let mut aside = std::mem::take(&mut kept.aside);
            kept.snapshot = None;
            let next = aside.remove(&account.id).unwrap_or_default();
            aside.insert(before, std::mem::replace(kept, next));
            kept.aside = aside;
        }
        kept.account = Some(account);
        Ok(())
    }

    /// Those of this connection: one value knows no others.
    async fn accounts(&mut self) -> Answer<Vec<Account>> {
        let kept = self.kept();
        let aside = (kept.aside.values()).filter_map(|kept| kept.account.as_ref());
        Ok(kept.account.iter().chain(aside).cloned().collect())
    }

    async fn get(&mut self, keys: Vec<String>) -> Answer<Vec<Option<Vec<u8>>>> {
        let stored = &self.kept().stored;
        Ok(keys.iter().map(|key| stored.get(key).cloned()).collect())
    }

    async fn set(&mut self, entries: Vec<(String, Vec<u8>)>) -> Answer<()> {
        self.kept().stored.extend(entries);
        Ok(())
    }

    async fn delete(&mut self, keys: Vec<String>) -> Answer<()> {
        self.kept().stored.retain(|key, _| !keys.contains(key));
        Ok(())
    }

    async fn scan(
        &mut self,
        prefix: String,
        after: Option<String>,
        limit: u32,
    ) -> Answer<Vec<(String, Vec<u8>)>> {
        let entries = self.kept().stored.iter();
        let wanted = entries
            .filter(|(key, _)| key.starts_with(&prefix) && Some(*key) > after.as_ref())
            .take(limit as usize);
        Ok(wanted
            .map(|(key, value)| (key.clone(), value.clone()))
            .collect())
    }

    async fn stored_bytes(&mut self) -> Answer<u64> {
        let entries = self.kept().stored.iter();
        let bytes = entries.map(|(key, value)| (key.len() + value.len()) as u64);
        Ok(bytes.sum())
    }

    async fn bindings_by_origin(
        &mut self,
        kind: String,
        origins: Vec<Origin>,
    ) -> Answer<Vec<Option<Binding>>> {
        let kept = self.kept();
        let bound = |origin: &Origin| kept.bound(&kind, |binding| binding.origin == *origin);
        Ok(origins.iter().map(bound).collect())
    }

    async fn bindings_by_key(
        &mut self,
        kind: String,
        keys: Vec<Key>,
    ) -> Answer<Vec<Option<Binding>>> {
        let kept = self.kept();
        let bound = |key: &Key| kept.bound(&kind, |binding| binding.key == *key);
        Ok(keys.iter().map(bound).collect())
    }

    async fn bind(&mut self, bindings: Vec<Binding>) -> Answer<()> {
        let kept = self.kept();
        for binding in bindings {
            match kept.pair_of(&binding.kind, &binding.origin) {
                Some(known) => *known = binding,
                None => kept.bindings.push(binding),
            }
        }
        Ok(())
    }

    async fn unbind(&mut self, kind: String, keys: Vec<Key>) -> Answer<()> {
        let bindings = &mut self.kept().bindings;
        bindings.retain(|binding| binding.kind != kind || !keys.contains(&binding.key));
        Ok(())
    }

    async fn search_bindings(
        &mut self,
        kind: Option<String>,
        text: Option<String>,
        after: Option<String>,
        limit: u32,
    ) -> Answer<(Vec<Binding>, Option<String>)> {
        let text = text.unwrap_or_default().to_lowercase();
        let has_text = |part: &str| part.to_lowercase().contains(&text);
        let mut found = self.kept().bindings.clone();
        found.retain(|binding| {
            kind.as_ref().is_none_or(|kind| binding.kind == *kind)
                && (has_text(&binding.key) || has_text(&binding.origin))
        });
        found.sort_by(|a, b| place(a).cmp(&place(b)));
        if let Some(after) = after {
            let first: (String, Origin) = serde_json::from_str(&after)
                .map_err(|_| Fault::Rejected(Reason::new("host.not-a-page")))?;
            found.retain(|binding| place(binding) >= (&first.0, &first.1));
        }
        let limit = limit.max(1) as usize;
        let next = found
            .get(limit)
            .map(|first| serde_json::json!(place(first)).to_string());
        found.truncate(limit);
        Ok((found, next))
    }

    async fn unbind_origins(&mut self, kind: String, origins: Vec<Origin>) -> Answer<()> {
        let bindings = &mut self.kept().bindings;
        bindings.retain(|binding| binding.kind != kind || !origins.contains(&binding.origin));
        Ok(())
    }

    async fn set_timer(&mut self, timer: Timer) -> Answer<()> {
        self.kept().timers.insert(timer.name.clone(), timer);
        Ok(())
    }

    async fn timers(&mut self) -> Answer<u64> {
        Ok(self.kept().timers.len() as u64)
    }

    async fn cancel_timer(&mut self, name: String) -> Answer<()> {
        self.kept().timers.remove(&name);
        Ok(())
    }

    async fn due_timers(&mut self, now: Timestamp, limit: u32) -> Answer<Vec<Timer>> {
        let timers = self.kept().timers.values();
        let mut due: Vec<Timer> = timers.filter(|timer| timer.due <= now).cloned().collect();
        due.sort_by_key(|timer| timer.due);
        due.truncate(limit as usize);
        Ok(due)
    }

    async fn next_timer(&mut self) -> Answer<Option<Timestamp>> {
        Ok(self.kept().timers.values().map(|timer| timer.due).min())
    }

    async fn move_timers(&mut self, by: SignedDuration) -> Answer<()> {
        for timer in self.kept().timers.values_mut() {
            timer.due = timer.due.saturating_add(by).unwrap_or(timer.due);
        }
        Ok(())
    }

    async fn drop_timers(&mut self, timers: Vec<Timer>) -> Answer<()> {
        let kept = self.kept();
        kept.timers.retain(|_, timer| !timers.contains(timer));
        Ok(())
    }

    async fn snapshot(&mut self, state_version: u32) -> Answer<()> {
        let kept = self.kept();
        kept.snapshot = None;
        kept.snapshot = Some((state_version, Box::new(kept.clone())));
        Ok(())
    }

    async fn restore(&mut self, state_version: u32) -> Answer<bool> {
        let kept = self.kept();
        let wanted = |(version, _): &mut (u32, Box<Kept>)| *version == state_version;
        let Some((_, before)) = kept.snapshot.take_if(wanted) else {
            return Ok(false);
        };
        kept.stored = before.stored;
        kept.timers = before.timers;
        for binding in &mut kept.bindings {
            if !before.bindings.contains(binding) {
                binding.fingerprint = None;
            }
        }
        for mut binding in before.bindings {
            if kept.pair_of(&binding.kind, &binding.origin).is_none() {
                binding.fingerprint = None;
                kept.bindings.push(binding);
            }
        }
        Ok(true)
    }
}

fn place(binding: &Binding) -> (&String, &Origin) {
    (&binding.kind, &binding.origin)
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::{Keeping, Kept};
    use crate::model::Fault;
    use crate::platform::{Account, Binding, State, Timer};

    #[derive(Default)]
    struct Unit(Kept);

    impl Keeping for Unit {
        fn kept(&mut self) -> &mut Kept {
            &mut self.0
        }
    }

    fn binding(key: &str, origin: &str, fingerprint: Option<u8>) -> Binding {
        Binding {
            kind: "order".to_owned(),
            key: key.to_owned(),
            origin: origin.to_owned(),
            fingerprint: fingerprint.map(|byte| vec![byte]),
        }
    }

    fn timer(name: &str, second: i64) -> Timer {
        Timer {
            name: name.to_owned(),
            job: "orders".to_owned(),
            due: Timestamp::from_second(second).unwrap(),
            argument: None,
        }
    }

    #[tokio::test]
    async fn storage_is_given_back_in_order_and_counted() {
        let mut unit = Unit::default();
        let entries = ["p/2", "p/1", "q"].map(|key| (key.to_owned(), b"12".to_vec()));
        unit.set(entries.to_vec()).await.unwrap();
        assert_eq!(unit.stored_bytes().await, Ok(7 + 6));
        unit.delete(vec!["q".to_owned()]).await.unwrap();
        let mut scan = async |after: Option<&str>, limit| {
            let found = unit.scan("p/".to_owned(), after.map(str::to_owned), limit);
            let keys = found.await.unwrap().into_iter().map(|(key, _)| key);
            keys.collect::<Vec<_>>()
        };
        assert_eq!(scan(None, 9).await, ["p/1", "p/2"]);
        assert_eq!(scan(None, 1).await, ["p/1"]);
        assert_eq!(scan(Some("p/1"), 9).await, ["p/2"]);
        let found = unit.get(vec!["q".to_owned(), "p/1".to_owned()]).await;
        assert_eq!(found, Ok(vec![None, Some(b"12".to_vec())]));
    }

    #[tokio::test]
    async fn bindings_are_found_and_searched_page_by_page() {
        let mut unit = Unit::default();
        let bound = ["o:3", "o:1", "o:2"].map(|origin| binding("1", origin, None));
        unit.bind(bound.to_vec()).await.unwrap();
        unit.bind(vec![binding("2", "o:2", None)]).await.unwrap();
        let keys = ["1", "2", "9"].map(str::to_owned).to_vec();
        let by_key = unit
            .bindings_by_key("order".to_owned(), keys)
            .await
            .unwrap();
        let origins = by_key.into_iter().map(|found| Some(found?.origin));
        let made_first = [Some("o:3"), Some("o:2"), None];
        assert!(origins.eq(made_first.map(|origin| origin.map(str::to_owned))));

        let mut found = Vec::new();
        let mut after = None;
        loop {
            let page = unit.search_bindings(None, Some("O:".to_owned()), after, 1);
            let (bindings, next) = page.await.unwrap();
            found.extend(bindings.into_iter().map(|binding| binding.origin));
            after = next;
            if after.is_none() {
                break;
            }
        }
        assert_eq!(found, ["o:1", "o:2", "o:3"]);
        let garbled = unit.search_bindings(None, None, Some("2".to_owned()), 1);
        assert!(matches!(garbled.await, Err(Fault::Rejected(_))));
        unit.unbind("order".to_owned(), vec!["1".to_owned()])
            .await
            .unwrap();
        let left = unit.search_bindings(None, None, None, 9).await.unwrap();
        assert_eq!(left, (vec![binding("2", "o:2", None)], None));
    }

    #[tokio::test]
    async fn going_back_loses_no_pair_and_a_timer_set_anew_is_not_dropped() {
        let mut unit = Unit::default();
        unit.set_timer(timer("a", 10)).await.unwrap();
        let before = [("1", "o:same"), ("2", "o:changed"), ("3", "o:gone")];
        let before = before.map(|(key, origin)| binding(key, origin, Some(1)));
        unit.bind(before.to_vec()).await.unwrap();
        unit.snapshot(1).await.unwrap();
        unit.set(vec![("new".to_owned(), vec![1])]).await.unwrap();
        unit.unbind("order".to_owned(), vec!["3".to_owned()])
            .await
            .unwrap();
        let since = [("2", "o:changed"), ("4", "o:new")];
        let since = since.map(|(key, origin)| binding(key, origin, Some(2)));
        unit.bind(since.to_vec()).await.unwrap();
        unit.set_timer(timer("a", 20)).await.unwrap();
        unit.drop_timers(vec![timer("a", 10)]).await.unwrap();
        assert_eq!(unit.next_timer().await, Ok(Some(timer("a", 20).due)));

        assert_eq!(unit.restore(2).await, Ok(false));
        assert_eq!(unit.restore(1).await, Ok(true));
        let pairs = [
            binding("1", "o:same", Some(1)),
            binding("2", "o:changed", None),
            binding("4", "o:new", None),
            binding("3", "o:gone", None),
        ];
        assert_eq!(unit.0.bindings, pairs);
        assert_eq!(unit.stored_bytes().await, Ok(0));
        let due = unit.due_timers(timer("a", 10).due, 9).await;
        assert_eq!(due, Ok(vec![timer("a", 10)]));
        assert_eq!(unit.restore(1).await, Ok(false));
    }

    #[tokio::test]
    async fn another_account_finds_nothing_and_one_that_is_returned_to_all_of_its_own() {
        let account = |id: &str| Account {
            connector: "keycrm".to_owned(),
            id: id.to_owned(),
            ..Account::default()
        };
        let mut unit = Unit::default();
        unit.set_account(account("a")).await.unwrap();
        unit.set(vec![("cursor".to_owned(), vec![1])])
            .await
            .unwrap();
        unit.bind(vec![binding("1", "o:1", Some(1))]).await.unwrap();
        unit.set_timer(timer("t", 10)).await.unwrap();
        let before = unit.0.clone();
        unit.snapshot(1).await.unwrap();
        unit.set_account(account("b")).await.unwrap();
        assert_eq!(unit.stored_bytes().await, Ok(0));
        assert!(unit.0.bindings.is_empty() && unit.0.timers.is_empty());
        assert_eq!(unit.restore(1).await, Ok(false));
        let known = unit.accounts().await.unwrap();
        assert_eq!(known, [account("b"), account("a")]);
        unit.set_account(account("a")).await.unwrap();
        unit.0.aside.clear();
        assert_eq!(unit.0, before);
    }

    #[tokio::test]
    async fn what_is_kept_is_read_back_from_json() {
        let mut unit = Unit::default();
        unit.set(vec![("a".to_owned(), vec![0, 255])])
            .await
            .unwrap();
        unit.bind(vec![binding("1", "o:1", Some(1))]).await.unwrap();
        unit.set_timer(timer("a", 10)).await.unwrap();
        unit.snapshot(1).await.unwrap();
        let json = serde_json::to_string(&unit.0).unwrap();
        assert_eq!(unit.0, serde_json::from_str(&json).unwrap());
    }
}
