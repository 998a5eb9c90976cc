//! How many requests a token may make: a bucket for each that fills up steadily.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use uuid::Uuid;

/// How many buckets are kept; those that are full again are forgotten first.
const MOST_BUCKETS: usize = 10_000;
/// A bucket holds what comes in so many seconds.
const BURST_SECONDS: f64 = 2.0;

/// The buckets of all tokens that have made requests.
pub(crate) struct Rates {
    per_second: f64,
    buckets: Mutex<HashMap<Uuid, Bucket>>,
}

#[derive(Debug, Clone, Copy)]
struct Bucket {
    left: f64,
    at: Instant,
}

impl Rates {
    pub(crate) fn new(per_second: u32) -> Self {
        Self { per_second: per_second.into(), buckets: Mutex::default() }
    }

    /// Takes one request of a token, or tells in how many seconds there will be one.
    pub(crate) fn take(&self, token: Uuid) -> Result<(), u64> {
        let now = Instant::now();
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        if buckets.len() >= MOST_BUCKETS && !buckets.contains_key(&token) {
            let full = Duration::from_secs_f64(BURST_SECONDS);
            buckets.retain(|_, bucket| now.duration_since(bucket.at) < full);
        }
        let full = Bucket { left: self.per_second * BURST_SECONDS, at: now };
        let bucket = buckets.entry(token).or_insert(full);
        let (next, answer) = take(*bucket, now, self.per_second);
        *bucket = next;
        answer
    }
}

fn take(bucket: Bucket, now: Instant, per_second: f64) -> (Bucket, Result<(), u64>) {
    let gained = now.duration_since(bucket.at).as_secs_f64() * per_second;
    let left = (bucket.left + gained).min(per_second * BURST_SECONDS);
    match left >= 1.0 {
        true => (Bucket { left: left - 1.0, at: now }, Ok(())),
        false => (Bucket { left, at: now }, Err(((1.0 - left) / per_second).ceil().max(1.0) as u64)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
}
