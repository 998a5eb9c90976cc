use super::*;

const FIRST: ConsumerId = ConsumerId(1);
const SECOND: ConsumerId = ConsumerId(2);
/// So large that nothing holds a consumer up.
const WIDE: u16 = 1000;

const fn one(tag: u64) -> Ack {
    Ack { tag, multiple: false }
}

const fn up_to(tag: u64) -> Ack {
    Ack { tag, multiple: true }
}

#[test]
fn a_run_takes_one_acknowledgement_after_a_moment() {
    let now = Instant::now();
    let mut acks = Acks::new();
    for tag in [3, 1, 2] {
        acks.finish(tag, FIRST, WIDE, now);
    }
    assert_eq!(acks.due(now, false), []);
    assert_eq!(acks.next_due(), Some(now + GATHERING));
    assert_eq!(acks.due(now + GATHERING, false), [up_to(3)]);
    assert_eq!(acks.next_due(), None);
    acks.finish(4, FIRST, WIDE, now);
    assert_eq!(acks.due(now + GATHERING, false), [one(4)]);
}

#[test]
fn behind_a_slow_delivery_each_is_acknowledged_alone_in_the_end() {
    let now = Instant::now();
    let mut acks = Acks::new();
    acks.finish(2, FIRST, WIDE, now);
    acks.finish(3, FIRST, WIDE, now + PATIENCE / 2);
    assert_eq!(acks.due(now + GATHERING, false), []);
    assert_eq!(acks.next_due(), Some(now + PATIENCE));
    assert_eq!(acks.due(now + PATIENCE, false), [one(2)]);
    acks.finish(1, FIRST, WIDE, now + PATIENCE);
    // 2 was answered: the run acknowledges 1 and 3 up to the last that is still open.
    assert_eq!(acks.due(now + PATIENCE, false), [up_to(3)]);
    assert_eq!(acks.next_due(), None);
}

#[test]
fn a_slow_delivery_of_one_consumer_holds_no_other_up() {
    let now = Instant::now();
    let mut acks = Acks::new();
    for tag in [2, 3, 4] {
        acks.finish(tag, SECOND, 8, now);
    }
    acks.finish(5, FIRST, 8, now);
    assert_eq!(acks.due(now, false), []);
    assert!(acks.finish(6, SECOND, 8, now), "half of what the second consumer may hold is finished");
    assert_eq!(acks.due(now, false), [one(2), one(3), one(4), one(6)]);
    assert_eq!(acks.next_due(), Some(now + PATIENCE), "5 waits on");
}

#[test]
fn a_consumer_of_one_at_a_time_never_waits() {
    let now = Instant::now();
    let mut acks = Acks::new();
    assert!(acks.finish(2, FIRST, 1, now));
    assert_eq!(acks.due(now, false), [one(2)]);
}

#[test]
fn what_was_answered_is_never_named_again() {
    let now = Instant::now();
    let mut acks = Acks::new();
    acks.finish(1, FIRST, WIDE, now);
    acks.give_back(2);
    assert_eq!(acks.due(now, true), [one(1)]);
    acks.finish(4, FIRST, WIDE, now);
    assert_eq!(acks.due(now, true), [one(4)]);
    acks.finish(3, FIRST, WIDE, now);
    assert_eq!(acks.due(now, true), [one(3)]);
    assert_eq!(acks.first, 5);
    assert!(acks.waiting.is_empty() && acks.finished.is_empty());
}

#[test]
fn every_finished_delivery_is_acknowledged_exactly_once() {
    let start = Instant::now();
    let mut acks = Acks::new();
    let mut answered = std::collections::BTreeSet::new();
    let mut finished = std::collections::BTreeSet::new();
    let order = (1..=997u64).map(|step| step * 389 % 997 + 1);
    for (position, tag) in order.enumerate() {
        let now = start + PATIENCE * position as u32 / 70;
        let (consumer, prefetch) = if tag % 3 == 0 { (FIRST, 20) } else { (SECOND, 200) };
        acks.finish(tag, consumer, prefetch, now);
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
    assert!(acks.waiting.is_empty() && acks.finished.is_empty());
}

#[test]
fn those_that_are_due_together_may_go_out_in_any_order() {
    // The broker closes a channel that acknowledges a tag twice: no single one may lie within the run.
    let mut acks = Acks::new();
    let now = Instant::now();
    for tag in [1, 2, 3, 5, 7, 8] {
        acks.finish(tag, ConsumerId(0), 100, now);
    }
    let due = acks.due(now, true);
    let runs: Vec<_> = due.iter().filter(|ack| ack.multiple).map(|ack| ack.tag).collect();
    let singles: Vec<_> = due.iter().filter(|ack| !ack.multiple).map(|ack| ack.tag).collect();
    assert_eq!((runs, singles), (vec![3], vec![5, 7, 8]));
}
