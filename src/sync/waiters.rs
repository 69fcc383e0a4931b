//! Who waits, in order.

use std::collections::BTreeMap;
use std::task::Waker;

/// Tasks that wait, in the order in which they came. To be kept under a lock.
#[derive(Default)]
pub(super) struct Waiters {
    came: u64,
    wakers: BTreeMap<u64, Waker>,
}

/// A place in line. Whoever was woken in vain comes back to the same place.
#[derive(Debug, Default)]
pub(super) struct Place(Option<u64>);

impl Waiters {
    /// Gets in line. What this returns is dropped outside of the lock: with a waker a whole task may go, and what
    /// that holds may want the lock.
    #[must_use]
    pub(super) fn wait(&mut self, place: &mut Place, waker: &Waker) -> Option<Waker> {
        let number = *place.0.get_or_insert_with(|| {
            self.came += 1;
            self.came
        });
        match self.wakers.get(&number) {
            Some(known) if known.will_wake(waker) => None,
            _ => self.wakers.insert(number, waker.clone()),
        }
    }

    /// Leaves the line. What this returns is dropped outside of the lock, as with [`Waiters::wait`].
    #[must_use]
    pub(super) fn leave(&mut self, place: &Place) -> Option<Waker> {
        place.0.and_then(|number| self.wakers.remove(&number))
    }

    /// Everybody. To be woken outside of the lock.
    #[must_use]
    pub(super) fn take(&mut self) -> Woken {
        Woken(std::mem::take(&mut self.wakers))
    }
}

/// Those who are to be woken.
pub(super) struct Woken(BTreeMap<u64, Waker>);

impl Woken {
    /// Wakes them, the first who came first.
    pub(super) fn wake(self) {
        self.0.into_values().for_each(Waker::wake);
    }
}
