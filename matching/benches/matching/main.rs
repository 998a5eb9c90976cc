//! How long matching takes, and how much memory rules take: `cargo bench -p posthorn-matching`.
//!
//! One thread. Rules and events come from a generator with a fixed seed ([`rules`], [`events`]). Each
//! measurement goes round a thousand events, so that what it looks at is not always in the cache.

mod events;
mod rules;

use std::{
    hint::black_box,
    time::{Duration, Instant},
};

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use posthorn_matching::{
    index::{Body, Index},
    pattern::MOST_STEPS,
    rule::Rule,
};
use uuid::Uuid;

#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

type Group<'g> = criterion::BenchmarkGroup<'g, criterion::measurement::WallTime>;

const EVENTS: usize = 1000;
/// Webhooks of one rule each, taken in at a time.
const CHUNK: usize = 1000;

fn webhook(number: usize) -> Uuid {
    Uuid::from_u128(number as u128)
}

/// An index over `count` rules, with what it took to fill it.
#[expect(clippy::disallowed_methods, reason = "a benchmark measures")]
fn filled(count: usize, mut rule: impl FnMut() -> Rule) -> Index {
    let index = Index::default();
    let before = resident_bytes();
    let mut inserting = Duration::ZERO;
    let start = Instant::now();
    for first in (0..count).step_by(CHUNK) {
        let rules: Vec<_> =
            (first..count.min(first + CHUNK)).map(|number| (webhook(number), [rule()])).collect();
        let chunk = Instant::now();
        index.apply(rules.iter().map(|(id, rules)| (*id, rules.as_slice())));
        inserting += chunk.elapsed();
    }
    let bytes = resident_bytes().saturating_sub(before) / count;
    println!(
        "{count} rules: made and inserted in {:?}, of which inserting {inserting:?}; {bytes} bytes a rule",
        start.elapsed()
    );
    index
}

/// What the process holds in memory (proc_pid_statm(5), in pages of 4096 bytes).
fn resident_bytes() -> usize {
    let statm = std::fs::read_to_string("/proc/self/statm").expect("Linux tells the memory of a process");
    let pages: usize =
        statm.split(' ').nth(1).and_then(|pages| pages.parse().ok()).expect("a number of pages");
    pages * 4096
}

fn mixed(criterion: &mut Criterion) {
    mixed_rules(criterion.benchmark_group("mixed"), false);
}

/// No two rules share a pattern.
fn mixed_distinct(criterion: &mut Criterion) {
    mixed_rules(criterion.benchmark_group("mixed, distinct patterns"), true);
}

fn mixed_rules(mut group: Group<'_>, is_distinct: bool) {
    for count in [1_000, 100_000, 1_000_000] {
        let world = rules::World::of(count);
        let mut chance = rules::chance();
        let mut numbers = 0..;
        let mut rule = || world.mixed_rule(&mut chance, numbers.next().filter(|_| is_distinct));
        let index = filled(count, &mut rule);
        let more: Vec<_> = (count..count + EVENTS).map(|number| (webhook(number), [rule()])).collect();
        let events: Vec<_> = (0..EVENTS).map(|number| events::mixed(&world, &mut chance, number)).collect();
        let matches: usize = events.iter().map(|event| wanting(&index, event)).sum();
        println!("{count} rules: {:.1} matches an event", matches as f64 / EVENTS as f64);
        let bodies: Vec<_> = events.iter().map(|event| Body::new(event)).collect();
        group.bench_with_input(BenchmarkId::new("before JSON", count), &index, |bencher, index| {
            let mut round = bodies.iter().cycle();
            bencher.iter(|| {
                let found = index.wanting_body(round.next().expect("it goes round"), MOST_STEPS);
                black_box(found.expect("it costs less").len())
            });
        });
        group.bench_with_input(BenchmarkId::new("with JSON", count), &index, |bencher, index| {
            let mut round = events.iter().cycle();
            bencher.iter(|| black_box(wanting(index, round.next().expect("it goes round"))));
        });
        changes(&mut group, count, &index, &more);
    }
}

#[expect(clippy::disallowed_methods, reason = "a benchmark measures")]
fn changes(group: &mut Group<'_>, count: usize, index: &Index, some: &[(Uuid, [Rule; 1])]) {
    for (name, is_adding) in [("add", true), ("remove", false)] {
        group.bench_function(BenchmarkId::new(name, count), |bencher| {
            bencher.iter_custom(|iterations| {
                let mut taken = Duration::ZERO;
                for number in 0..iterations {
                    let (id, rules) = &some[usize::try_from(number).unwrap_or(0) % EVENTS];
                    let adding = Instant::now();
                    index.put(*id, rules);
                    let removing = Instant::now();
                    index.remove(*id);
                    taken += if is_adding { removing - adding } else { removing.elapsed() };
                }
                taken
            });
        });
    }
}

fn one_place(criterion: &mut Criterion) {
    const COUNT: usize = 100_000;
    let mut group = criterion.benchmark_group("100000 conditions in one place");
    for kind in rules::KINDS {
        let mut number = 0;
        let index = filled(COUNT, || {
            number += 1;
            rules::in_one_place(kind, number)
        });
        let events: Vec<_> =
            (0..EVENTS).map(|number| events::in_one_place(kind, number * 97 % COUNT)).collect();
        let matches: usize = events.iter().map(|event| wanting(&index, event)).sum();
        println!("{kind}: {:.1} matches an event", matches as f64 / EVENTS as f64);
        group.bench_with_input(BenchmarkId::from_parameter(kind), &index, |bencher, index| {
            let mut round = events.iter().cycle();
            bencher.iter(|| black_box(wanting(index, round.next().expect("it goes round"))));
        });
    }
}

fn wanting(index: &Index, event: &events::Published) -> usize {
    index.wanting(event, MOST_STEPS).expect("it costs less").len()
}

criterion_group! {
    name = benches;
    config = Criterion::default().warm_up_time(Duration::from_millis(500)).measurement_time(Duration::from_secs(2)).sample_size(30);
    targets = mixed, mixed_distinct, one_place
}
criterion_main!(benches);
