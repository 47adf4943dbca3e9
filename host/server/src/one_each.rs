//! Work that goes on side by side: one task for each of something, such as a connection, and so many
//! at one time. One that is slow keeps back its own alone.

use std::collections::HashMap;

use tokio::task::{Id, JoinSet};

/// Tasks that are under way. They end with it.
pub struct OneEach<K> {
    most: usize,
    tasks: JoinSet<()>,
    keys: HashMap<Id, K>,
}

impl<K> OneEach<K> {
    /// None yet, and never more than so many.
    pub fn at_most(most: usize) -> OneEach<K> {
        OneEach {
            most,
            tasks: JoinSet::new(),
            keys: HashMap::new(),
        }
    }

    /// Whether there is no room for another one.
    pub fn is_full(&self) -> bool {
        self.tasks.len() >= self.most
    }

    /// For what there are tasks.
    pub fn keys(&self) -> impl Iterator<Item = &K> {
        self.keys.values()
    }

    /// Begins the task of a key.
    pub fn begin(&mut self, key: K, work: impl Future<Output = ()> + Send + 'static) {
        let task = self.tasks.spawn(work);
        self.keys.insert(task.id(), key);
    }

    /// Waits until one has ended; for ever when there is none.
    pub async fn ended(&mut self) {
        let id = match self.tasks.join_next_with_id().await {
            Some(Ok((id, ()))) => id,
            Some(Err(error)) => error.id(),
            None => std::future::pending().await,
        };
        self.keys.remove(&id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn fails() {
        panic!("it was meant to");
    }

    #[tokio::test]
    async fn there_is_room_again_when_one_has_ended_well_or_not() {
        let mut tasks = OneEach::at_most(2);
        tasks.begin("good", async {});
        tasks.begin("bad", fails());
        assert!(tasks.is_full());
        tasks.ended().await;
        assert!(!tasks.is_full());
        tasks.ended().await;
        assert_eq!(0, tasks.keys().count());
        tasks.begin("slow", std::future::pending());
        assert_eq!(Some(&"slow"), tasks.keys().next());
    }
}
