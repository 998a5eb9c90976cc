//! The load: events published with confirms, closed or open, or all at once.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use lapin::Connection;
use posthorn_publisher::confirm::ConfirmChannel;
use tokio::{sync::mpsc, task::JoinSet};
use tokio_util::sync::CancellationToken;

use crate::{
    entrance::Entrance,
    event,
    setup::Load,
    tally::{MOST_EVENTS, Tally},
};

const MOST_UNCONFIRMED: usize = 2000;

/// When an event is due, in microseconds of [`event::micros`].
type Due = u64;

/// Publishes until `stop`, or until a backlog is full; tells how many events the broker confirmed.
pub(crate) async fn publish(
    connection: &Connection,
    entrance: &Entrance,
    tally: &Arc<Tally>,
    stop: &CancellationToken,
) -> anyhow::Result<u64> {
    let (due, dues) = mpsc::channel(4096);
    let mut pacing = JoinSet::new();
    match tally.setup.load {
        Load::Closed { .. } => _ = pacing.spawn(closed(tally.clone(), due, stop.clone())),
        Load::Open { rate } => {
            let stop = stop.clone();
            pacing.spawn_blocking(move || open(rate, &due, &stop));
        }
        Load::Backlog { deliveries } => _ = pacing.spawn(at_once(deliveries / tally.setup.fan_out, due)),
    }
    let mut channel = ConfirmChannel::open(connection).await?;
    send(&mut channel, entrance, tally, dues).await
}

async fn send(
    channel: &mut ConfirmChannel<()>,
    entrance: &Entrance,
    tally: &Tally,
    mut dues: mpsc::Receiver<Due>,
) -> anyhow::Result<u64> {
    let (mut number, mut is_over) = (0, false);
    let mut batch = Vec::new();
    while !is_over || channel.in_flight() > 0 {
        let room = MOST_UNCONFIRMED.saturating_sub(channel.in_flight());
        tokio::select! {
            taken = dues.recv_many(&mut batch, room), if room > 0 && !is_over => {
                is_over = taken == 0;
                for due in batch.drain(..) {
                    channel.publish(entrance.publication(tally, number, due), ());
                    number += 1;
                }
            }
            confirmed = channel.confirmed(), if channel.in_flight() > 0 => { confirmed?; }
        }
    }
    Ok(number)
}

async fn closed(tally: Arc<Tally>, dues: mpsc::Sender<Due>, stop: CancellationToken) {
    for number in 0..MOST_EVENTS as u64 {
        let permits = u32::from(tally.setup.expected(number) > 0);
        let Some(Ok(room)) = stop.run_until_cancelled(tally.room.acquire_many(permits)).await else { return };
        room.forget();
        if dues.send(event::micros()).await.is_err() {
            return;
        }
    }
}

/// On a thread of its own, since tokio's timer counts whole milliseconds. An event that goes out late
/// keeps the stamp of when it was due: what the system delays, it pays for.
fn open(rate: f64, dues: &mpsc::Sender<Due>, stop: &CancellationToken) {
    let (start, stamp) = (Instant::now(), event::micros());
    for number in 0..MOST_EVENTS {
        let after = Duration::from_secs_f64(number as f64 / rate);
        if let Some(early) = after.checked_sub(start.elapsed()) {
            std::thread::sleep(early);
        }
        if stop.is_cancelled() || dues.blocking_send(stamp + after.as_micros() as u64).is_err() {
            return;
        }
    }
}

async fn at_once(events: usize, dues: mpsc::Sender<Due>) {
    for _ in 0..events {
        if dues.send(event::micros()).await.is_err() {
            return;
        }
    }
}
