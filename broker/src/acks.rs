//! Which deliveries of a channel to acknowledge, and how.
//!
//! A run of finished deliveries takes a single acknowledgement with `multiple`, which costs the
//! broker a sixth of one for each. A delivery that finishes behind a slower one waits a moment for
//! the run to reach it, and is then acknowledged alone, so that a slow one holds back nothing.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

/// How long a finished delivery waits for the run before it is acknowledged alone.
pub(crate) const PATIENCE: Duration = Duration::from_millis(5);

/// An acknowledgement to send.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Ack {
    pub tag: u64,
    pub multiple: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Running,
    Finished,
    Answered,
}

/// The delivery tags of a channel. Tags count from 1 without gaps over all its consumers.
#[derive(Debug)]
pub(crate) struct Acks {
    /// The tag of the first entry of `states`.
    first: u64,
    states: VecDeque<State>,
    /// Finished tags in the order in which they finished.
    waiting: VecDeque<(u64, Instant)>,
}

impl Acks {
    pub(crate) fn new() -> Self {
        Self { first: 1, states: VecDeque::new(), waiting: VecDeque::new() }
    }

    /// The delivery is done and wants its acknowledgement.
    pub(crate) fn finish(&mut self, tag: u64, now: Instant) {
        self.set(tag, State::Finished);
        self.waiting.push_back((tag, now));
    }

    /// The delivery was given back: no acknowledgement.
    pub(crate) fn give_back(&mut self, tag: u64) {
        self.set(tag, State::Answered);
    }

    /// What to send now, in this order. With `all`, nothing finished is left waiting.
    pub(crate) fn due(&mut self, now: Instant, all: bool) -> Vec<Ack> {
        let mut acks: Vec<_> = self.run().into_iter().collect();
        while let Some(&(tag, finished_at)) = self.waiting.front() {
            let is_waiting = self.state(tag) == State::Finished;
            if is_waiting && !all && now.duration_since(finished_at) < PATIENCE {
                break;
            }
            self.waiting.pop_front();
            if is_waiting {
                self.set(tag, State::Answered);
                acks.push(Ack { tag, multiple: false });
            }
        }
        acks
    }

    /// When the next one will be due if nothing finishes before.
    pub(crate) fn next_due(&self) -> Option<Instant> {
        self.waiting.front().map(|(_, finished_at)| *finished_at + PATIENCE)
    }

    fn run(&mut self) -> Option<Ack> {
        let (mut last, mut count) = (0, 0);
        while let Some(state) = self.states.front().filter(|state| **state != State::Running) {
            if *state == State::Finished {
                last = self.first;
                count += 1;
            }
            self.states.pop_front();
            self.first += 1;
        }
        (count > 0).then_some(Ack { tag: last, multiple: count > 1 })
    }

    fn state(&self, tag: u64) -> State {
        match tag.checked_sub(self.first) {
            None => State::Answered,
            Some(position) => self.states.get(position as usize).copied().unwrap_or(State::Running),
        }
    }

    fn set(&mut self, tag: u64, state: State) {
        let Some(position) = tag.checked_sub(self.first) else { return };
        let position = position as usize;
        if self.states.len() <= position {
            self.states.resize(position + 1, State::Running);
        }
        self.states[position] = state;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn one(tag: u64) -> Ack {
        Ack { tag, multiple: false }
    }

    const fn up_to(tag: u64) -> Ack {
        Ack { tag, multiple: true }
    }

    #[test]
    fn a_run_takes_one_acknowledgement() {
        let now = Instant::now();
        let mut acks = Acks::new();
        acks.finish(1, now);
        assert_eq!(acks.due(now, false), [one(1)]);
        for tag in [4, 2, 3] {
            acks.finish(tag, now);
        }
        assert_eq!(acks.due(now, false), [up_to(4)]);
        assert_eq!(acks.due(now + PATIENCE, false), []);
        assert_eq!(acks.next_due(), None);
    }

    #[test]
    fn behind_a_slow_delivery_each_is_acknowledged_alone_after_a_moment() {
        let now = Instant::now();
        let mut acks = Acks::new();
        acks.finish(2, now);
        acks.finish(3, now + PATIENCE / 2);
        assert_eq!(acks.due(now, false), []);
        assert_eq!(acks.next_due(), Some(now + PATIENCE));
        assert_eq!(acks.due(now + PATIENCE, false), [one(2)]);
        acks.finish(1, now + PATIENCE);
        // 2 was answered: the run acknowledges 1 and 3 up to the last that is still open.
        assert_eq!(acks.due(now + PATIENCE, false), [up_to(3)]);
        assert_eq!(acks.due(now + 3 * PATIENCE, false), []);
    }

    #[test]
    fn what_was_answered_is_never_named_again() {
        let now = Instant::now();
        let mut acks = Acks::new();
        acks.finish(1, now);
        acks.give_back(2);
        assert_eq!(acks.due(now, false), [one(1)]);
        acks.finish(4, now);
        assert_eq!(acks.due(now, true), [one(4)]);
        acks.finish(3, now);
        assert_eq!(acks.due(now, false), [one(3)]);
        assert_eq!(acks.first, 5);
    }

    #[test]
    fn every_finished_delivery_is_acknowledged_exactly_once() {
        let start = Instant::now();
        let mut acks = Acks::new();
        let mut answered = std::collections::BTreeSet::new();
        let mut finished = std::collections::BTreeSet::new();
        let order = (1..=997u64).map(|step| step * 389 % 997 + 1);
        for (position, tag) in order.enumerate() {
            let now = start + PATIENCE * position as u32 / 7;
            acks.finish(tag, now);
            finished.insert(tag);
            for ack in acks.due(now, position == 996) {
                let covered = if ack.multiple { 1..=ack.tag } else { ack.tag..=ack.tag };
                let open: Vec<_> = covered.filter(|tag| !answered.contains(tag)).collect();
                assert!(open.contains(&ack.tag), "{ack:?} names an answered tag");
                assert!(open.iter().all(|tag| finished.contains(tag)), "{ack:?} covers a running one");
                answered.extend(open);
            }
        }
        assert_eq!(answered, finished);
    }
}
