//! Replays at work: any process goes on with any replay, a few deliveries at a time.
//!
//! A replay waits behind live traffic: it puts deliveries into its webhook's queue only while few wait
//! there, so that whatever is queued anew waits behind few of them, and batches, in which most live
//! deliveries travel, pass the queue by. How far it has come is written after the confirms: a process that
//! falls in between repeats a few, and loses none.

use std::{sync::Arc, time::Duration};

use futures_util::future::try_join_all;
use jiff::Timestamp;
use posthorn_domain::{
    delivery, error_chain::error_chain, event::Event, id::EventRef, replay::Kind, webhook::State,
};
use posthorn_matching::{pattern::Steps, rule::Rule};
use posthorn_store::{Candidate, Progress, ReplayRecord, StoreError, Version, WebhookRecord};
use posthorn_timing::Backoff;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::{problem::Problem, state::Api};

/// How long a replay is claimed. One whose go takes longer may be taken over: a few are made twice.
const CLAIM: Duration = Duration::from_secs(30);
/// How long to wait when no replay is due.
const PAUSE: Duration = Duration::from_millis(500);
/// How long to wait between two tries while PostgreSQL is away.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
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
pub(crate) async fn run(api: Arc<Api>, stop: CancellationToken) {
    let process = Uuid::now_v7();
    let mut backoff = Backoff::new(PAUSE, LONGEST_PAUSE);
    while !stop.is_cancelled() {
        match go_on(&api, process).await {
            Ok(true) => {
                backoff.reset();
                continue;
            }
            Ok(false) => backoff.reset(),
            Err(error) => tracing::warn!("cannot go on with replays: {}", error_chain(&error)),
        }
        stop.run_until_cancelled(sleep(backoff.pause(rand::random()))).await;
    }
}

/// Goes on with a replay that is due; false if none is.
async fn go_on(api: &Api, process: Uuid) -> Result<bool, StoreError> {
    let Some(replay) = api.store.claim_replay(process, CLAIM).await? else { return Ok(false) };
    let progress = match step(api, &replay).await {
        Ok(progress) => progress,
        Err(problem) => {
            tracing::warn!("a replay rests: {}", problem.detail());
            Progress { pause: REST, ..Progress::default() }
        }
    };
    if let Some(ended) = &progress.ended {
        let id = replay.asked.id.simple();
        tracing::info!(webhook.id = %replay.asked.webhook_id, "replay rpl_{id} has ended: {ended:?}");
    }
    api.store.advance_replay(replay.asked.id, process, &progress).await?;
    Ok(true)
}

async fn step(api: &Api, replay: &ReplayRecord) -> Result<Progress, Problem> {
    let asked = &replay.asked;
    let webhook = match api.store.webhook(asked.webhook_id).await {
        Err(StoreError::UnknownWebhook(_)) => return Ok(stopped("the webhook was deleted")),
        found => found?,
    };
    if !asked.dry_run && webhook.state != State::Enabled {
        return Ok(stopped(&format!("the webhook is {}", webhook.state)));
    }
    let room = if asked.dry_run { usize::MAX } else { room(api, &webhook).await };
    if room == 0 {
        return Ok(Progress { pause: REST, ..Progress::default() });
    }
    let versions = api.store.versions(asked.webhook_id, asked.since, asked.until).await?;
    let candidates = api.store.candidates(replay, MOST_EXAMINED).await?;
    let is_end = (candidates.len() as i64) < MOST_EXAMINED;
    let (chosen, examined) = choose(replay, &versions, &candidates, room, api.settings.most_match_steps);
    let is_all = examined == candidates.len();
    if !asked.dry_run {
        try_join_all(chosen.iter().map(|candidate| publish(api, &webhook, candidate))).await?;
    }
    let published = if asked.dry_run { 0 } else { chosen.len() };
    let settled = asked.until.saturating_add(SETTLES_AFTER).is_ok_and(|at| at <= Timestamp::now());
    let pause = Duration::from_secs_f64(published as f64 / f64::from(api.settings.replays_per_second));
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
async fn room(api: &Api, webhook: &WebhookRecord) -> usize {
    let waiting = api.line.waiting(&[webhook.described.id]).await.into_iter().next().flatten();
    let few = FEW.max(2 * usize::from(webhook.described.max_in_flight));
    // In a queue that cannot be looked at there is no room.
    let room = waiting.map_or(0, |waiting| few.saturating_sub(waiting as usize));
    room.min(MOST_PUBLISHED).min(api.settings.replays_per_second as usize)
}

/// Chooses from the candidates, in order, as many as there is room for, and tells how many it has looked
/// at: fewer than there are also if matching them takes long.
fn choose<'a>(
    replay: &ReplayRecord,
    versions: &[Version],
    candidates: &'a [Candidate],
    room: usize,
    most_steps: u64,
) -> (Vec<&'a Candidate>, usize) {
    let (mut chosen, mut spent) = (Vec::new(), 0);
    for (place, candidate) in candidates.iter().enumerate() {
        if spent >= most_steps {
            return (chosen, place);
        }
        let steps = Steps::new(most_steps);
        let is_wanted = is_wanted(replay, versions, candidate, &steps);
        spent += steps.spent();
        if is_wanted {
            if chosen.len() == room {
                return (chosen, place);
            }
            chosen.push(candidate);
        }
    }
    (chosen, candidates.len())
}

fn is_wanted(replay: &ReplayRecord, versions: &[Version], candidate: &Candidate, steps: &Steps) -> bool {
    let asked = &replay.asked;
    let types = asked.event_types.as_ref();
    if types.is_some_and(|types| !types.iter().any(|pattern| pattern.matches(&candidate.event_type))) {
        return false;
    }
    if asked.companies.as_ref().is_some_and(|companies| !companies.contains(&candidate.company_id)) {
        return false;
    }
    match asked.kind {
        Kind::Failed => {
            candidate.is_routed && delivery::State::after(candidate.last_step) == delivery::State::Failed
        }
        Kind::Missed => is_missed(versions, candidate, steps),
        Kind::All => candidate.is_routed || is_missed(versions, candidate, steps),
    }
}

/// Whether the event matched while the webhook was paused or disabled. One that costs too much to match
/// would not have been routed.
fn is_missed(versions: &[Version], candidate: &Candidate, steps: &Steps) -> bool {
    let at = candidate.place.at;
    let then =
        versions.iter().find(|version| version.since <= at && version.until.is_none_or(|until| at < until));
    let was_off = |version: &&Version| matches!(version.state, State::Paused | State::Disabled);
    let Some(version) = then.filter(was_off).filter(|_| !candidate.is_routed) else { return false };
    let Some(message) = &candidate.message else { return false };
    let Ok(event) = Event::decode(message, usize::MAX) else { return false };
    Rule::any_matches(&version.rules, &event.received_at(at), steps).unwrap_or_else(|costly| {
        tracing::warn!(event.r#ref = %event.event_ref(), "a replay leaves an event out: {costly}");
        false
    })
}

async fn publish(api: &Api, webhook: &WebhookRecord, candidate: &Candidate) -> Result<(), Problem> {
    // What is wanted comes with its bytes.
    let Some(message) = candidate.message.clone() else { return Ok(()) };
    let place = &candidate.place;
    api.line.deliver(webhook.described.id, EventRef(place.id), message, place.at).await
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use posthorn_domain::{id::WebhookId, replay, step::StepKind};
    use posthorn_matching::{pattern::MOST_STEPS, rule::Limits};
    use posthorn_proto::v1;
    use posthorn_store::{NewReplay, Place};
    use prost::Message;

    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn replay(kind: Kind) -> ReplayRecord {
        ReplayRecord {
            asked: NewReplay {
                id: Uuid::nil(),
                webhook_id: WebhookId(Uuid::nil()),
                since: at(0),
                until: at(100),
                event_types: Some(vec!["todo.*".parse().unwrap()]),
                kind,
                dry_run: false,
                companies: None,
            },
            state: replay::State::Running,
            error: None,
            done: None,
            examined: 0,
            found: 0,
            published: 0,
            created_at: at(0),
            updated_at: at(0),
            finished_at: None,
        }
    }

    fn candidate(second: i64, is_routed: bool, last_step: Option<StepKind>) -> Candidate {
        let event = v1::Event {
            id: format!("e{second}"),
            r#type: "todo.created".to_owned(),
            data: Some(v1::event::Data::Json(Bytes::from_static(b"{}"))),
            ..v1::Event::default()
        };
        Candidate {
            place: Place { at: at(second), id: EventRef::new("", &event.id).0 },
            event_type: event.r#type.clone(),
            company_id: String::new(),
            message: Some(event.encode_to_vec().into()),
            is_routed,
            last_step,
        }
    }

    fn versions() -> Vec<Version> {
        let rules = Rule::read_list("[{}]", &Limits::default()).unwrap();
        let version = |since, until: Option<i64>, state| Version {
            since: at(since),
            until: until.map(at),
            state,
            rules: rules.clone(),
        };
        vec![
            version(0, Some(10), State::Enabled),
            version(10, Some(20), State::Paused),
            version(20, None, State::Enabled),
        ]
    }

    #[test]
    fn each_kind_finds_its_own() {
        let candidates = [
            candidate(5, true, Some(StepKind::Succeed)),
            candidate(6, true, Some(StepKind::GiveUp)),
            candidate(7, true, Some(StepKind::Retry)),
            candidate(8, false, None),
            candidate(12, false, None),
            candidate(25, false, None),
        ];
        let chosen = |kind| {
            let replay = replay(kind);
            let (chosen, examined) = choose(&replay, &versions(), &candidates, usize::MAX, MOST_STEPS);
            assert_eq!(examined, candidates.len());
            chosen.iter().map(|it| it.place.at.as_second()).collect::<Vec<_>>()
        };
        assert_eq!(chosen(Kind::Failed), [6]);
        assert_eq!(chosen(Kind::Missed), [12]);
        assert_eq!(chosen(Kind::All), [5, 6, 7, 12]);
    }

    #[test]
    fn what_finds_no_room_is_looked_at_again() {
        let candidates = [candidate(5, true, None), candidate(8, false, None), candidate(9, true, None)];
        let (chosen, examined) = choose(&replay(Kind::All), &versions(), &candidates, 1, MOST_STEPS);
        assert_eq!((chosen.len(), examined), (1, 2));
    }

    #[test]
    fn only_the_wanted_types_are_replayed() {
        let mut other = candidate(5, true, None);
        other.event_type = "comment.created".to_owned();
        assert!(!is_wanted(&replay(Kind::All), &versions(), &other, &Steps::default()));
    }
}
