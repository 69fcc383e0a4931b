//! One value that readers take as it is while a writer makes the next.

use super::{Mutex, lock};

/// A shared pointer that is swapped: readers get the old value or the new one, whole, and hold it as long as they
/// like.
pub struct Published<P>(Mutex<P>);

impl<P: Clone> Published<P> {
    /// Begins with this value.
    pub fn new(pointer: P) -> Self {
        Self(Mutex::new(pointer))
    }

    /// The value as it is.
    pub fn load(&self) -> P {
        lock(&self.0).clone()
    }

    /// Makes this the value from now on.
    pub fn publish(&self, pointer: P) {
        // Dropped outside of the lock: what goes with the last reader's value may be large.
        let replaced = std::mem::replace(&mut *lock(&self.0), pointer);
        drop(replaced);
    }
}
