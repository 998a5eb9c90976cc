//! A value in two copies, so that readers never wait for a change (the left-right technique).
//!
//! One copy is current. A change is made to the other, which has no readers; then the other becomes
//! current, and the change is made to the first as soon as its last reader has left.

use std::sync::{
    Mutex, RwLock, TryLockError,
    atomic::{AtomicUsize, Ordering},
};

const BROKEN: &str = "a match or a change has panicked: the index cannot be trusted";

#[derive(Debug, Default)]
pub(super) struct LeftRight<T> {
    copies: [RwLock<T>; 2],
    current: AtomicUsize,
    changing: Mutex<()>,
}

impl<T> LeftRight<T> {
    /// Reads the current copy.
    pub(super) fn read<R>(&self, read: impl FnOnce(&T) -> R) -> R {
        loop {
            let current = self.current.load(Ordering::SeqCst);
            match self.copies[current].try_read() {
                Ok(copy) => return read(&copy),
                // A change has made the other copy current since we looked.
                Err(TryLockError::WouldBlock) => std::hint::spin_loop(),
                Err(TryLockError::Poisoned(_)) => panic!("{BROKEN}"),
            }
        }
    }

    /// Makes a change, which must do the same to both copies. Readers that come later see all of it.
    pub(super) fn change(&self, mut change: impl FnMut(&mut T)) {
        let _changing = self.changing.lock().expect(BROKEN);
        let current = self.current.load(Ordering::SeqCst);
        for place in [1 - current, current] {
            change(&mut *self.copies[place].write().expect(BROKEN));
            self.current.store(1 - current, Ordering::SeqCst);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

    #[test]
    fn readers_see_changes_whole_and_in_order() {
        let copies: LeftRight<(u32, u32)> = LeftRight::default();
        thread::scope(|scope| {
            for _ in 0..2 {
                scope.spawn(|| {
                    let mut last = 0;
                    while last < 2000 {
                        let (one, other) = copies.read(|pair| *pair);
                        assert_eq!(one, other);
                        assert!(one >= last);
                        last = one;
                    }
                });
            }
            for count in 1..=2000 {
                copies.change(|pair| {
                    pair.0 += 1;
                    pair.1 += 1;
                });
                assert_eq!(copies.read(|pair| *pair), (count, count));
            }
        });
    }
}
