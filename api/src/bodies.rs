//! How many bytes of bodies are held at a time: by the process, and by each token.
//!
//! A body is counted as it comes in, so that one that was announced and does not come takes nothing, and
//! until its request is done.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use posthorn_manage::{Error, Kind, Refused, refused};
use uuid::Uuid;

use crate::metrics;

/// A token may hold so large a part of all.
const PART_OF_A_TOKEN: usize = 4;

/// The bodies that are held.
#[derive(Debug)]
pub(crate) struct Bodies {
    most: usize,
    most_of_a_token: usize,
    held: Mutex<Held>,
}

#[derive(Debug, Default)]
struct Held {
    all: usize,
    tokens: HashMap<Uuid, usize>,
}

/// The bytes of one body; they count until this is dropped.
#[derive(Debug)]
pub(crate) struct Hold {
    bodies: Arc<Bodies>,
    token: Uuid,
    bytes: usize,
}

impl Bodies {
    /// At most `most` bytes at a time; a token may hold a quarter, and one body of `most_of_a_body` always.
    pub(crate) fn new(most: usize, most_of_a_body: usize) -> Arc<Self> {
        let most = most.max(most_of_a_body);
        let most_of_a_token = (most / PART_OF_A_TOKEN).max(most_of_a_body);
        Arc::new(Self { most, most_of_a_token, held: Mutex::default() })
    }

    /// Begins to count a body.
    pub(crate) fn hold(self: &Arc<Self>, token: Uuid) -> Hold {
        Hold { bodies: self.clone(), token, bytes: 0 }
    }

    fn change<T>(&self, change: impl FnOnce(&mut Held) -> T) -> T {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        let changed = change(&mut held);
        metrics::body_bytes(held.all);
        changed
    }
}

impl Hold {
    /// Counts more bytes.
    ///
    /// # Errors
    /// If they are too many beside those that are held.
    pub(crate) fn grow(&mut self, bytes: usize) -> Result<(), Error> {
        let Bodies { most, most_of_a_token, .. } = *self.bodies;
        self.bodies.change(|held| {
            let own = held.tokens.entry(self.token).or_default();
            if *own + bytes > most_of_a_token {
                refused(Refused::TokenBodies);
                let detail = format!(
                    "the bodies of this token's requests that are being worked on take {most_of_a_token} bytes: \
                     send fewer at a time"
                );
                return Err(Error::new(Kind::TooManyRequests, detail).after(1));
            }
            if held.all + bytes > most {
                refused(Refused::Bodies);
                let detail = "the bodies of requests that are being worked on take too much memory: try again";
                return Err(Error::new(Kind::Unavailable, detail).after(1));
            }
            *own += bytes;
            held.all += bytes;
            self.bytes += bytes;
            Ok(())
        })
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        self.bodies.change(|held| {
            held.all -= self.bytes;
            let left = held.tokens.get_mut(&self.token).map(|own| {
                *own -= self.bytes;
                *own
            });
            if left == Some(0) {
                held.tokens.remove(&self.token);
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_holds_its_part_and_all_hold_no_more_than_there_is() {
        let bodies = Bodies::new(1000, 100);
        let token = Uuid::from_u128;
        let mut holds: Vec<_> = (0..5).map(|id| bodies.hold(token(id))).collect();
        for hold in &mut holds[..4] {
            assert!(hold.grow(250).is_ok());
            assert_eq!(hold.grow(1).map_err(|error| error.kind), Err(Kind::TooManyRequests));
        }
        assert_eq!(holds[4].grow(1).map_err(|error| error.kind), Err(Kind::Unavailable));
        holds.remove(0);
        assert!(holds[3].grow(100).is_ok());
        drop(holds);
        let held = bodies.held.lock().unwrap();
        assert_eq!((held.all, held.tokens.len()), (0, 0));
    }
}
