//! Replays at work: any process goes on with any replay, a few deliveries at a time.
//!
//! A replay waits behind live traffic: it puts deliveries into its webhook's queue only while few wait there,
//! so that whatever is queued anew waits behind few of them, and delivery batches, in which most live
//! deliveries travel, pass the queue by. How far it has come is written after the confirms.

use std::time::Duration;

use futures_util::future::try_join_all;
use jiff::Timestamp;
use posthorn_domain::{error_chain::error_chain, id::EventRef, webhook::State};
use posthorn_store::{Candidate, Progress, ReplayRecord, StoreError, WebhookRecord};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::{WorkError, Worker, choose::choose, keep_on};

/// How long a replay is claimed. One whose go takes longer may be taken over: a few are made twice.
const CLAIM: Duration = Duration::from_secs(30);
/// How long a replay rests whose webhook's queue is full, or whose go has failed.
const REST: Duration = Duration::from_secs(1);
/// How many events are looked at in one go.
const MOST_EXAMINED: i64 = 1000;
/// The most deliveries published in one go.
const MOST_PUBLISHED: usize = 100;
/// A replay adds to a queue in which fewer wait than this, or than twice the webhook's `max_in_flight`.
const FEW: usize = 20;
/// Events of the last moments may not be recorded yet.
const SETTLES_AFTER: Duration = Duration::from_secs(3);

/// Works on replays until `stop`.
pub(crate) async fn run(worker: &Worker, stop: &CancellationToken) {
    let process = Uuid::now_v7();
    keep_on("go on with replays", stop, || go_on(worker, process)).await;
}

/// Goes on with a replay that is due; false if none is.
async fn go_on(worker: &Worker, process: Uuid) -> Result<bool, StoreError> {
    let Some(replay) = worker.store.background.claim_replay(process, CLAIM).await? else { return Ok(false) };
    let progress = match step(worker, &replay).await {
        Ok(progress) => progress,
        Err(error) => {
            tracing::warn!("a replay rests: {}", error_chain(&error));
            Progress { pause: REST, ..Progress::default() }
        }
    };
    if let Some(ended) = &progress.ended {
        let id = replay.asked.id.simple();
        tracing::info!(webhook.id = %replay.asked.webhook_id, "replay rpl_{id} has ended: {ended:?}");
    }
    worker.store.background.advance_replay(replay.asked.id, process, &progress).await?;
    Ok(true)
}

async fn step(worker: &Worker, replay: &ReplayRecord) -> Result<Progress, WorkError> {
    let Worker { store, settings, .. } = worker;
    let asked = &replay.asked;
    let webhook = match store.webhooks.get(asked.webhook_id).await {
        Err(StoreError::UnknownWebhook(_)) => return Ok(stopped("the webhook was deleted")),
        found => found?,
    };
    if !asked.dry_run && webhook.state != State::Enabled {
        return Ok(stopped(&format!("the webhook is {}", webhook.state)));
    }
    let room = if asked.dry_run { usize::MAX } else { room(worker, &webhook).await };
    if room == 0 {
        return Ok(Progress { pause: REST, ..Progress::default() });
    }
    let versions = store.webhooks.versions(asked.webhook_id, asked.since, asked.until).await?;
    let candidates = store.background.candidates(replay, MOST_EXAMINED).await?;
    let is_end = (candidates.len() as i64) < MOST_EXAMINED;
    let (chosen, examined) = choose(replay, &versions, &candidates, room, settings.most_match_steps);
    let is_all = examined == candidates.len();
    if !asked.dry_run {
        try_join_all(chosen.iter().map(|candidate| publish(worker, &webhook, candidate))).await?;
    }
    let published = if asked.dry_run { 0 } else { chosen.len() };
    let settled = asked.until.saturating_add(SETTLES_AFTER).is_ok_and(|at| at <= Timestamp::now());
    let pause = Duration::from_secs_f64(published as f64 / f64::from(settings.per_second));
    Ok(Progress {
        done: examined.checked_sub(1).map(|last| candidates[last].place.clone()),
        examined: examined as i64,
        found: chosen.len() as i64,
        published: published as i64,
        ended: (is_end && is_all && settled).then_some(Ok(())),
        pause: if is_end && is_all { pause.max(REST) } else { pause },
    })
}

fn stopped(why: &str) -> Progress {
    Progress { ended: Some(Err(why.to_owned())), ..Progress::default() }
}

/// How many deliveries may be put into the webhook's queue now.
async fn room(worker: &Worker, webhook: &WebhookRecord) -> usize {
    let waiting = worker.client.waiting(&[webhook.described.id]).await.into_iter().next().flatten();
    let few = FEW.max(2 * usize::from(webhook.described.max_in_flight));
    // In a queue that cannot be looked at there is no room.
    let room = waiting.map_or(0, |waiting| few.saturating_sub(waiting as usize));
    room.min(MOST_PUBLISHED).min(worker.settings.per_second as usize)
}

async fn publish(worker: &Worker, webhook: &WebhookRecord, candidate: &Candidate) -> Result<(), WorkError> {
    // What is wanted comes with its bytes.
    let Some(message) = candidate.message.clone() else { return Ok(()) };
    let place = &candidate.place;
    let delivering = worker.client.deliver(webhook.described.id, EventRef(place.id), message, place.at);
    Ok(delivering.await?)
}
