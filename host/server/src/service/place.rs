//! One thing at a time is done with what a connection keeps: a run, or something that people want
//! done while nothing runs.
//!
//! A run learns from its place that somebody waits there, whenever it began and whoever waits: a
//! wish that is told to the run itself would be lost on one that is just about to begin.

use std::sync::Arc;

use tokio::sync::{Mutex, OwnedMutexGuard, watch};

/// Where who works on what a connection keeps is alone.
#[derive(Debug, Default)]
pub(crate) struct Place {
    lock: Arc<Mutex<()>>,
    /// How many want it at once.
    wanted: watch::Sender<usize>,
}

/// Who has this is alone at work on what a connection keeps.
#[derive(Debug)]
pub(crate) struct Alone {
    place: Arc<Place>,
    _lock: OwnedMutexGuard<()>,
}

impl Place {
    /// Waits for its turn.
    pub async fn take(self: Arc<Self>) -> Alone {
        let lock = Arc::clone(&self.lock).lock_owned().await;
        Alone {
            place: self,
            _lock: lock,
        }
    }

    /// Takes it when it is free.
    pub fn try_take(self: Arc<Self>) -> Option<Alone> {
        let lock = Arc::clone(&self.lock).try_lock_owned().ok()?;
        Some(Alone {
            place: self,
            _lock: lock,
        })
    }

    /// The same as [`Place::take`], but a run that is there is to make room at once.
    pub async fn claim(self: Arc<Self>) -> Alone {
        let place = Arc::clone(&self);
        let _wanted = Wanted::new(&place);
        self.take().await
    }

    /// Whether somebody wants it at once.
    pub fn is_wanted(&self) -> bool {
        *self.wanted.borrow() > 0
    }

    /// Waits until somebody wants it at once.
    pub async fn wanted(&self) {
        let mut wanted = self.wanted.subscribe();
        // The sender lives as long as `self`.
        let _ = wanted.wait_for(|wanted| *wanted > 0).await;
    }
}

impl Alone {
    /// Where.
    pub fn place(&self) -> &Arc<Place> {
        &self.place
    }
}

/// One more who wants a place at once, for as long as this lives.
struct Wanted<'a>(&'a Place);

impl Wanted<'_> {
    fn new(place: &Place) -> Wanted<'_> {
        place.wanted.send_modify(|wanted| *wanted += 1);
        Wanted(place)
    }
}

impl Drop for Wanted<'_> {
    fn drop(&mut self) {
        self.0.wanted.send_modify(|wanted| *wanted -= 1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn who_holds_a_place_learns_of_those_that_came_before_and_after() {
        let place = Arc::new(Place::default());
        let first = Arc::clone(&place).take().await;
        assert!(!place.is_wanted());
        let patient = tokio::spawn(Arc::clone(&place).take());
        let hurried = tokio::spawn(Arc::clone(&place).claim());
        place.wanted().await;
        drop(first);
        // Who came in between holds it, and is told as well.
        let second = patient.await.unwrap();
        place.wanted().await;
        drop(second);
        let _third = hurried.await.unwrap();
        assert!(!place.is_wanted());
        assert!(Arc::clone(&place).try_take().is_none());
    }

    #[tokio::test]
    async fn who_gives_up_waiting_wants_it_no_longer() {
        let place = Arc::new(Place::default());
        let _held = Arc::clone(&place).take().await;
        let waiting = Arc::clone(&place).claim();
        let none = std::time::Duration::ZERO;
        assert!(tokio::time::timeout(none, waiting).await.is_err());
        assert!(!place.is_wanted());
    }
}
