//! How many delivery batches the broker hands over before it waits for acknowledgements.
//!
//! The broker counts messages, and a batch holds from one to fifty deliveries, any of which may take long. So
//! the prefetch follows what is in hand: idle, it is as many full batches as there is room for; while batches
//! are small or hang, it grows. A dispatcher leaves to others what it could only hoard.

use posthorn_domain::delivery_batch::{MOST_BYTES, MOST_DELIVERIES};

/// What may still be taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Room {
    pub(crate) deliveries: usize,
    pub(crate) bytes: usize,
}

/// The prefetch of batches.
#[derive(Debug)]
pub(crate) struct Prefetch {
    current: usize,
    /// The room when nothing is in hand.
    whole: Room,
    /// About the deliveries and the bytes of the batches taken lately.
    typical: (f64, f64),
    /// About the most batches in hand lately.
    busiest: f64,
}

/// How much a batch that is taken counts in what is typical.
const NEWEST: f64 = 1.0 / 8.0;
/// A batch may be so many times as large as is typical.
const MARGIN: f64 = 2.0;
/// What the busiest moment fades to at each look.
const FADING: f64 = 0.9;

impl Prefetch {
    /// That of an idle dispatcher, in which `whole` is free.
    pub(crate) fn new(whole: Room) -> Self {
        let mut prefetch = Self { current: 1, whole, typical: (0.0, 0.0), busiest: 0.0 };
        prefetch.expect_full();
        prefetch.current = prefetch.full_batches(whole).max(1);
        prefetch
    }

    /// As the broker takes it.
    pub(crate) fn current(&self) -> u16 {
        u16::try_from(self.current).unwrap_or(u16::MAX)
    }

    /// A batch was taken.
    pub(crate) fn taken(&mut self, deliveries: usize, bytes: usize) {
        let (typical_deliveries, typical_bytes) = &mut self.typical;
        *typical_deliveries += (deliveries as f64 - *typical_deliveries) * NEWEST;
        *typical_bytes += (bytes as f64 - *typical_bytes) * NEWEST;
    }

    /// Grows if what the broker may hand over is much less than what there is room for: tells whether it did.
    pub(crate) fn grow(&mut self, in_hand: usize, room: Room) -> bool {
        self.busiest = self.busiest.max(in_hand as f64);
        let ahead = self.current.saturating_sub(in_hand);
        let fitting = self.fitting(room);
        let wanted = (in_hand + fitting).min(self.current * 2).min(u16::MAX.into());
        let is_short = ahead * 2 < fitting && wanted > self.current + self.current / 8;
        if is_short {
            self.current = wanted;
        }
        is_short
    }

    /// Looks, now and then, whether it is larger than what was in hand lately needs: tells whether it shrank.
    pub(crate) fn shrink_unused(&mut self, in_hand: usize) -> bool {
        self.busiest = (self.busiest * FADING).max(in_hand as f64);
        let needed = self.busiest as usize + self.full_batches(self.whole);
        self.shrink_to(needed, self.current / 2)
    }

    /// Shrinks if the broker has handed over, or may, more than an idle dispatcher takes, though there is no
    /// room for it: tells whether it did.
    pub(crate) fn shrink_full(&mut self, in_hand: usize) -> bool {
        let idle = self.full_batches(self.whole);
        self.shrink_to(in_hand + idle, self.current.saturating_sub(idle))
    }

    fn shrink_to(&mut self, needed: usize, below: usize) -> bool {
        let is_shrunk = needed.max(1) <= below;
        if is_shrunk {
            self.current = needed.max(1);
            self.expect_full();
        }
        is_shrunk
    }

    fn expect_full(&mut self) {
        self.typical = (MOST_DELIVERIES as f64, MOST_BYTES as f64);
    }

    /// Batches, as they are lately, that fit.
    fn fitting(&self, room: Room) -> usize {
        let (deliveries, bytes) = self.typical;
        let deliveries = (deliveries * MARGIN).clamp(1.0, MOST_DELIVERIES as f64);
        let bytes = (bytes * MARGIN).max(MOST_BYTES as f64);
        (room.deliveries as f64 / deliveries).min(room.bytes as f64 / bytes) as usize
    }

    fn full_batches(&self, room: Room) -> usize {
        (room.deliveries / MOST_DELIVERIES).min(room.bytes / MOST_BYTES).max(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WHOLE: Room = Room { deliveries: 2048, bytes: 512 << 20 };

    fn left(deliveries: usize) -> Room {
        Room { deliveries, ..WHOLE }
    }

    /// Takes batches of this size as they come, until all room is taken or `most` are in hand.
    fn take(prefetch: &mut Prefetch, size: usize, most: usize) -> usize {
        let mut in_hand = 0;
        while in_hand < most && in_hand < prefetch.current && (in_hand + 1) * size <= WHOLE.deliveries {
            in_hand += 1;
            prefetch.taken(size, size * 1000);
            prefetch.grow(in_hand, left(WHOLE.deliveries - in_hand * size));
        }
        in_hand
    }

    #[test]
    fn an_idle_dispatcher_is_handed_no_more_than_it_may_hold() {
        assert_eq!(Prefetch::new(WHOLE).current(), 40);
        assert_eq!(Prefetch::new(left(1)).current(), 1);
        assert_eq!(Prefetch::new(Room { bytes: 1 << 20, ..WHOLE }).current(), 16);
    }

    #[test]
    fn full_batches_fill_it_without_growing() {
        let mut prefetch = Prefetch::new(WHOLE);
        assert_eq!(take(&mut prefetch, 50, usize::MAX), 40);
        assert!(prefetch.current() <= 41, "{}", prefetch.current());
    }

    #[test]
    fn batches_of_one_delivery_let_it_grow_to_most_of_the_room() {
        let mut prefetch = Prefetch::new(WHOLE);
        let in_hand = take(&mut prefetch, 1, usize::MAX);
        assert!(in_hand > 1600, "{in_hand}");
    }

    #[test]
    fn batches_that_hang_let_it_grow_since_they_leave_room() {
        let mut prefetch = Prefetch::new(WHOLE);
        (0..40).for_each(|_| prefetch.taken(50, 50_000));
        assert!(!prefetch.grow(40, left(48)));
        assert!(prefetch.grow(40, WHOLE), "all of their deliveries take long");
        assert_eq!(prefetch.current(), 80);
    }

    #[test]
    fn large_events_are_handed_over_in_smaller_numbers() {
        let mut prefetch = Prefetch::new(WHOLE);
        (0..100).for_each(|_| prefetch.taken(1, 8 << 20));
        assert!(prefetch.fitting(WHOLE) <= 32);
    }

    #[test]
    fn what_is_not_needed_any_more_is_given_up_within_a_few_looks() {
        let mut prefetch = Prefetch::new(WHOLE);
        take(&mut prefetch, 1, 500);
        let grown = prefetch.current();
        assert!(grown > 500);
        let looks = (1..).find(|_| prefetch.shrink_unused(0) && prefetch.current() <= 80).unwrap();
        assert!(looks < 50, "{looks}");
    }

    #[test]
    fn full_batches_that_come_after_small_ones_are_given_back_at_once() {
        let mut prefetch = Prefetch::new(WHOLE);
        take(&mut prefetch, 1, 1000);
        assert!(prefetch.current() > 1000);
        assert!(prefetch.shrink_full(41));
        assert_eq!(prefetch.current(), 81);
        assert!(!prefetch.shrink_full(41), "once is enough");
    }
}
