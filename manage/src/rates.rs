//! How often something may be done: a bucket for each who does it, which fills up steadily.

use std::{
    collections::HashMap,
    hash::Hash,
    sync::{Mutex, PoisonError},
    time::Instant,
};

/// How many buckets are kept; those that are full again are forgotten first.
const MOST_BUCKETS: usize = 10_000;
/// A bucket holds what comes in so many seconds.
const BURST_SECONDS: f64 = 2.0;

/// The buckets of all who have done it.
pub struct Rates<K> {
    per_second: f64,
    buckets: Mutex<HashMap<K, Bucket>>,
}

#[derive(Debug, Clone, Copy)]
struct Bucket {
    left: f64,
    at: Instant,
}

impl<K: Hash + Eq> Rates<K> {
    /// Buckets that fill up so fast.
    pub fn new(per_second: u32) -> Self {
        Self { per_second: per_second.into(), buckets: Mutex::default() }
    }

    /// Takes one, or tells in how many seconds there will be one.
    ///
    /// # Errors
    /// That time.
    pub fn take(&self, who: K) -> Result<(), u64> {
        self.take_many(who, 1)
    }

    /// Takes many at once, if one is there: the rest is owed, and the next comes later.
    pub fn take_many(&self, who: K, count: usize) -> Result<(), u64> {
        let now = Instant::now();
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        if buckets.len() >= MOST_BUCKETS && !buckets.contains_key(&who) {
            buckets.retain(|_, bucket| {
                refilled(*bucket, now, self.per_second).left < self.per_second * BURST_SECONDS
            });
        }
        let full = Bucket { left: self.per_second * BURST_SECONDS, at: now };
        let bucket = buckets.entry(who).or_insert(full);
        let (next, answer) = take(*bucket, now, self.per_second, count);
        *bucket = next;
        answer
    }
}

fn refilled(bucket: Bucket, now: Instant, per_second: f64) -> Bucket {
    let gained = now.saturating_duration_since(bucket.at).as_secs_f64() * per_second;
    Bucket { left: (bucket.left + gained).min(per_second * BURST_SECONDS), at: now }
}

fn take(bucket: Bucket, now: Instant, per_second: f64, count: usize) -> (Bucket, Result<(), u64>) {
    let bucket = refilled(bucket, now, per_second);
    match bucket.left >= 1.0 {
        true => (Bucket { left: bucket.left - count as f64, ..bucket }, Ok(())),
        false => (bucket, Err(((1.0 - bucket.left) / per_second).ceil().max(1.0) as u64)),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn take(bucket: Bucket, now: Instant, per_second: f64) -> (Bucket, Result<(), u64>) {
        super::take(bucket, now, per_second, 1)
    }

    #[test]
    fn a_bucket_empties_and_fills_up_again() {
        let start = Instant::now();
        let mut bucket = Bucket { left: 4.0, at: start };
        for _ in 0..4 {
            let (next, answer) = take(bucket, start, 2.0);
            assert_eq!(answer, Ok(()));
            bucket = next;
        }
        assert_eq!(take(bucket, start, 2.0).1, Err(1));
        let later = start + Duration::from_millis(600);
        assert_eq!(take(bucket, later, 2.0).1, Ok(()));
        let (bucket, _) = take(bucket, start + Duration::from_secs(1000), 2.0);
        assert_eq!(bucket.left, 3.0);
    }

    #[test]
    fn what_was_taken_beyond_is_owed() {
        let start = Instant::now();
        let full = Bucket { left: 4.0, at: start };
        let (owing, answer) = super::take(full, start, 2.0, 10);
        assert_eq!(answer, Ok(()));
        assert_eq!(take(owing, start, 2.0).1, Err(4));
        assert_eq!(take(owing, start + Duration::from_millis(3500), 2.0).1, Ok(()));
    }

    #[test]
    fn full_buckets_are_forgotten() {
        let rates = Rates::new(1_000_000);
        (0..3 * MOST_BUCKETS).for_each(|who| assert_eq!(rates.take(who), Ok(())));
        assert!(rates.buckets.lock().unwrap().len() <= 2 * MOST_BUCKETS);
    }
}
