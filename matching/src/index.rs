//! Finds the subscribers that want an event among the rules of many; the cost follows the number of
//! matches, not of rules.
//!
//! Each rule becomes an *entry*: its subscriber, and the *predicate* that an event found under the rule's
//! keys must still satisfy (`entry`, `predicate`). Keys are the scope of the rule (its projects, else its
//! companies, else all) and its event types; a *bucket* holds the entries of one scope and event type
//! pattern (`buckets`). In a large bucket, entries with a pattern are found by a condition on the event's
//! data that the pattern requires (`conditions`). The plain evaluator then decides about each entry that
//! was found, so that the index only narrows what is evaluated. The data is read only if an entry found
//! needs it, and only the fields that patterns use.
//!
//! The cost of one event is bounded: steps are counted for an event with long lists or texts, or with many
//! candidates (`pattern::steps`); other events are small enough to be evaluated without counting.
//!
//! With many rules, most of the time goes into fetching memory that is in no cache. So what is read for an
//! event is small and contiguous.
//!
//! The buckets exist twice (`left_right`), so that readers never wait for a change. Rules and predicates
//! exist once.

use std::sync::{Arc, Mutex, MutexGuard};

use uuid::Uuid;

use crate::{event::Event, pattern::TooCostly, rule::Rule};

mod anchors;
mod bucket;
mod buckets;
mod by_field;
mod by_length;
mod by_subscriber;
mod conditions;
mod entry;
mod indexed_rule;
mod left_right;
mod lookup;
mod networks;
mod posting;
mod predicate;
mod predicates;
mod ranges;
mod scope_buckets;
mod type_numbers;
mod type_patterns;

use buckets::Buckets;
use by_subscriber::BySubscriber;
use indexed_rule::IndexedRule;
use left_right::LeftRight;
pub use lookup::Body;
use lookup::Lookup;
use predicates::Predicates;
use type_numbers::TypeNumbers;

/// The rules of many subscribers. Readers wait for nobody.
#[derive(Debug, Default)]
pub struct Index {
    buckets: LeftRight<Buckets>,
    writer: Mutex<Writer>,
}

/// What only changes need.
#[derive(Debug, Default)]
struct Writer {
    rules: BySubscriber,
    types: TypeNumbers,
    predicates: Predicates,
}

/// A change of one rule. All rules of a subscriber are removed before its first new rule is inserted, since
/// a bucket holds equal entries of one subscriber once.
enum Change {
    Remove(Arc<IndexedRule>),
    Insert(Arc<IndexedRule>),
}

impl Index {
    /// Replaces the rules of a subscriber. The next event is matched with the new ones.
    pub fn put(&self, subscriber: Uuid, rules: &[Rule]) {
        self.apply([(subscriber, rules)]);
    }

    /// Removes the rules of a subscriber.
    pub fn remove(&self, subscriber: Uuid) {
        self.apply([(subscriber, &[][..])]);
    }

    /// Replaces the rules of many subscribers; an empty list removes them. Readers see all changes at once.
    pub fn apply<'r>(&self, replacements: impl IntoIterator<Item = (Uuid, &'r [Rule])>) {
        let mut writer = self.writer();
        let Writer { rules, types, predicates } = &mut *writer;
        let mut changes = Vec::new();
        for (subscriber, new) in replacements {
            changes.extend(rules.take(subscriber).into_iter().map(Change::Remove));
            let new = new.iter().map(|rule| IndexedRule::new(subscriber, rule, types, predicates));
            changes.extend(new.map(|rule| Change::Insert(rules.insert(rule))));
        }
        self.buckets.change(|buckets| {
            types.added().for_each(|(number, pattern)| buckets.add_type(number, pattern));
            changes.iter().for_each(|change| change.apply(buckets));
        });
        types.clear_added();
        let removed: Vec<_> = changes.into_iter().filter_map(Change::removed).collect();
        let unused = types.release(removed.iter().flat_map(|rule| rule.types.used()));
        if !unused.is_empty() {
            self.buckets.change(|buckets| unused.iter().for_each(|number| buckets.remove_type(*number)));
        }
        predicates.release(removed.into_iter().filter_map(|rule| rule.entry.predicate.clone()).collect());
    }

    /// The subscribers that want the event, each once, in the order of their ids.
    ///
    /// # Errors
    /// If finding them would take more than `most_steps`.
    pub fn wanting(&self, event: &dyn Event, most_steps: u64) -> Result<Vec<Uuid>, TooCostly> {
        self.wanting_body(&Body::new(event), most_steps)
    }

    /// As [`Index::wanting`] for an event whose body is kept once it was read. The fields that were read
    /// are those in use then, so a body is good only until the next change of the index.
    ///
    /// # Errors
    /// As [`Index::wanting`].
    #[doc(hidden)]
    pub fn wanting_body(&self, body: &Body<'_>, most_steps: u64) -> Result<Vec<Uuid>, TooCostly> {
        let mut found = self.buckets.read(|buckets| Lookup::new(buckets, body, most_steps).found())?;
        found.sort_unstable();
        found.dedup();
        Ok(found)
    }

    fn writer(&self) -> MutexGuard<'_, Writer> {
        self.writer.lock().expect("a change has panicked: the index cannot be trusted")
    }
}

impl Change {
    fn apply(&self, buckets: &mut Buckets) {
        match self {
            Self::Remove(rule) => buckets.remove(rule),
            Self::Insert(rule) => buckets.insert(rule),
        }
    }

    fn removed(self) -> Option<Arc<IndexedRule>> {
        match self {
            Self::Remove(rule) => Some(rule),
            Self::Insert(_) => None,
        }
    }
}

#[cfg(test)]
mod tests;
