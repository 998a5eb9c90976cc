//! Which deliveries of a channel to acknowledge, and when.
//!
//! A run of finished deliveries takes a single acknowledgement with `multiple`, which costs the
//! broker a sixth of one for each. So a finished delivery waits a moment for others, and behind a
//! slower one for the run to reach it. It waits as long as that holds nothing up: once finished
//! deliveries fill half of what their consumer may hold, they are acknowledged alone.

use std::{
    collections::{BTreeSet, HashMap, VecDeque},
    time::{Duration, Instant},
};

/// How long a run gathers before it is acknowledged.
pub(crate) const GATHERING: Duration = Duration::from_millis(5);
/// How long a finished delivery waits for the run before it is acknowledged alone: it would be made
/// again if the process were killed.
pub(crate) const PATIENCE: Duration = Duration::from_millis(500);

/// An acknowledgement to send.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Ack {
    pub tag: u64,
    pub multiple: bool,
}

/// A consumer of the channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct ConsumerId(pub(crate) u32);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Running,
    Finished(ConsumerId),
    Answered,
}

/// The finished deliveries of a consumer that are not acknowledged.
#[derive(Debug, Default)]
struct Waiting {
    tags: BTreeSet<u64>,
    /// So many hold the consumer up.
    most: usize,
}

/// The delivery tags of a channel. Tags count from 1 without gaps over all its consumers.
#[derive(Debug)]
pub(crate) struct Acks {
    /// The tag of the first entry of `states`.
    first: u64,
    states: VecDeque<State>,
    /// Finished tags in the order in which they finished, and some that were answered since.
    finished: VecDeque<(u64, Instant)>,
    waiting: HashMap<ConsumerId, Waiting>,
    /// Consumers that finished deliveries hold up.
    held_up: Vec<ConsumerId>,
}

impl Acks {
    pub(crate) fn new() -> Self {
        Self {
            first: 1,
            states: VecDeque::new(),
            finished: VecDeque::new(),
            waiting: HashMap::new(),
            held_up: Vec::new(),
        }
    }

    /// The delivery is done and wants its acknowledgement. Its consumer holds at most `prefetch`.
    /// Tells whether the time of the next acknowledgement has changed.
    pub(crate) fn finish(&mut self, tag: u64, consumer: ConsumerId, prefetch: u16, now: Instant) -> bool {
        let is_head = tag == self.first;
        self.set(tag, State::Finished(consumer));
        let was_idle = self.finished.is_empty();
        self.finished.push_back((tag, now));
        let waiting = self.waiting.entry(consumer).or_default();
        waiting.most = usize::from(prefetch).div_ceil(2);
        waiting.tags.insert(tag);
        if waiting.tags.len() == waiting.most {
            self.held_up.push(consumer);
        }
        was_idle || is_head || !self.held_up.is_empty()
    }

    /// The delivery was given back: no acknowledgement.
    pub(crate) fn give_back(&mut self, tag: u64) {
        self.set(tag, State::Answered);
    }

    /// What to send now, in this order. With `all`, nothing finished is left waiting.
    pub(crate) fn due(&mut self, now: Instant, all: bool) -> Vec<Ack> {
        if !all && self.next_due().is_none_or(|at| now < at) {
            return Vec::new();
        }
        let mut acks: Vec<_> = self.run().into_iter().collect();
        for consumer in std::mem::take(&mut self.held_up) {
            // Unless the run has made room.
            let Some(waiting) =
                self.waiting.get(&consumer).filter(|waiting| waiting.tags.len() >= waiting.most)
            else {
                continue;
            };
            let tags = waiting.tags.clone();
            acks.extend(tags.into_iter().filter_map(|tag| self.alone(tag)));
        }
        while let Some(&(tag, finished_at)) = self.finished.front() {
            let is_patient = !all && now.duration_since(finished_at) < PATIENCE;
            if is_patient && self.is_finished(tag) {
                break;
            }
            self.finished.pop_front();
            acks.extend(self.alone(tag));
        }
        acks
    }

    /// When the next one will be due if nothing finishes before.
    pub(crate) fn next_due(&self) -> Option<Instant> {
        let (_, finished_at) = self.finished.front()?;
        let is_run = self.states.front().is_some_and(|state| *state != State::Running);
        Some(match (self.held_up.is_empty(), is_run) {
            (false, _) => *finished_at,
            (true, true) => *finished_at + GATHERING,
            (true, false) => *finished_at + PATIENCE,
        })
    }

    fn run(&mut self) -> Option<Ack> {
        let (mut last, mut count) = (0, 0);
        while let Some(state) = self.states.front().copied().filter(|state| *state != State::Running) {
            if let State::Finished(consumer) = state {
                self.leave(consumer, self.first);
                last = self.first;
                count += 1;
            }
            self.states.pop_front();
            self.first += 1;
        }
        (count > 0).then_some(Ack { tag: last, multiple: count > 1 })
    }

    /// The acknowledgement of a delivery by itself, if it still wants one.
    fn alone(&mut self, tag: u64) -> Option<Ack> {
        let State::Finished(consumer) = self.state(tag) else { return None };
        self.leave(consumer, tag);
        self.set(tag, State::Answered);
        Some(Ack { tag, multiple: false })
    }

    fn leave(&mut self, consumer: ConsumerId, tag: u64) {
        if let Some(waiting) = self.waiting.get_mut(&consumer) {
            waiting.tags.remove(&tag);
            if waiting.tags.is_empty() {
                self.waiting.remove(&consumer);
            }
        }
    }

    fn is_finished(&self, tag: u64) -> bool {
        matches!(self.state(tag), State::Finished(_))
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
mod tests;
