//! Running sync logic natively: in unit tests and benchmarks, over the real host library.
//!
//! The world is installed for one thread and for the length of one call, so tests that run side
//! by side do not see each other's.

use std::cell::RefCell;
use std::rc::Rc;

pub use crate::seam::World;

thread_local! {
    static WORLD: RefCell<Option<Rc<dyn World>>> = const { RefCell::new(None) };
}

/// The account that the run works for; `any` outside of a world, where pure functions are tried.
pub(crate) fn account() -> Option<String> {
    match WORLD.with_borrow(Clone::clone) {
        Some(world) => world.context().account,
        None => Some("any".to_owned()),
    }
}

/// Does `work` with all of its calls to [`erp`](crate::erp), [`runtime`](crate::runtime) and
/// [`http`](crate::http) answered by `world`.
pub fn with_world<R>(world: Rc<dyn World>, work: impl FnOnce() -> R) -> R {
    struct Restore(Option<Rc<dyn World>>);

    impl Drop for Restore {
        fn drop(&mut self) {
            WORLD.set(self.0.take());
        }
    }

    let _restore = Restore(WORLD.replace(Some(world)));
    work()
}

/// The world of this thread.
///
/// # Panics
/// Outside of [`with_world`]: sync logic was called from a place that has no host.
pub(crate) fn world() -> Rc<dyn World> {
    WORLD
        .with_borrow(Clone::clone)
        .expect("sync logic runs natively only inside `native::with_world`")
}
