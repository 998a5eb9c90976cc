//! Failpoints: places where a test can make a debug build panic, to see what a panic costs.
//!
//! `POSTHORN_FAILPOINTS=dispatcher.attempt=1,broker.journal=1` makes the first visit of each panic. Release
//! builds have none of this.

/// Panics if this failpoint is set and has not panicked as often as it is to.
#[cfg(debug_assertions)]
pub fn failpoint(name: &str) {
    use std::sync::{LazyLock, Mutex, PoisonError};

    static LEFT: LazyLock<Mutex<Failpoints>> = LazyLock::new(|| {
        let set = std::env::var("POSTHORN_FAILPOINTS").unwrap_or_default();
        Mutex::new(Failpoints::read(&set))
    });
    let is_due = LEFT.lock().unwrap_or_else(PoisonError::into_inner).visit(name);
    assert!(!is_due, "failpoint {name}");
}

/// Does nothing in a release build.
#[cfg(not(debug_assertions))]
#[inline(always)]
pub fn failpoint(_: &str) {}

/// How often each is still to panic.
#[cfg(debug_assertions)]
struct Failpoints(Vec<(String, u32)>);

#[cfg(debug_assertions)]
impl Failpoints {
    fn read(set: &str) -> Self {
        let one = |text: &str| {
            let (name, times) = text.split_once('=')?;
            Some((name.trim().to_owned(), times.trim().parse().ok()?))
        };
        Self(set.split(',').filter_map(one).collect())
    }

    /// Whether a visit panics.
    fn visit(&mut self, name: &str) -> bool {
        let Some((_, left)) = self.0.iter_mut().find(|(set, left)| set == name && *left > 0) else {
            return false;
        };
        *left -= 1;
        true
    }
}

#[cfg(all(test, debug_assertions))]
mod tests {
    use super::*;

    #[test]
    fn a_failpoint_panics_as_often_as_it_is_set_to() {
        let mut failpoints = Failpoints::read("a=2, b=1,c");
        assert_eq!([(); 3].map(|()| failpoints.visit("a")), [true, true, false]);
        assert_eq!([(); 2].map(|()| failpoints.visit("b")), [true, false]);
        assert!(!failpoints.visit("c"));
    }
}
