//! Replays: what is to be delivered again, and how far that has come.
//!
//! Any process may go on with any replay. It claims one for a while, publishes some deliveries, and
//! writes how far it has come; if it falls in between, the next one repeats these few.

use std::time::Duration;

use bytes::Bytes;
use jiff::Timestamp;
use posthorn_domain::{
    id::{EventRef, WebhookId},
    replay::{Kind, State},
    step::StepKind,
};
use posthorn_matching::event_type::TypePattern;
use tokio_postgres::{
    Row,
    types::{Json, ToSql},
};
use uuid::Uuid;

use crate::{
    access::audit,
    actor::Actor,
    columns::{optional_word, word},
    days::day_of,
    error::StoreError,
    page::Place,
    store::Background,
};

/// What is to be delivered again.
#[derive(Debug, Clone)]
pub struct NewReplay {
    /// Its id: a fresh UUIDv7.
    pub id: Uuid,
    /// To which webhook.
    pub webhook_id: WebhookId,
    /// Of events received since then,
    pub since: Timestamp,
    /// and before.
    pub until: Timestamp,
    /// Of these types; `None` for all.
    pub event_types: Option<Vec<TypePattern>>,
    /// Which of them.
    pub kind: Kind,
    /// Whether they are only counted.
    pub dry_run: bool,
    /// Of these companies; `None` for all.
    pub companies: Option<Vec<String>>,
}

/// A replay and how far it has come.
#[derive(Debug, Clone)]
pub struct ReplayRecord {
    /// What was asked for.
    pub asked: NewReplay,
    /// How far it is.
    pub state: State,
    /// Why it stopped.
    pub error: Option<String>,
    /// Events up to this one are done.
    pub done: Option<Place<Uuid>>,
    /// How many events were looked at.
    pub examined: i64,
    /// How many of them are to be delivered again.
    pub found: i64,
    /// How many of these are in the webhook's queue.
    pub published: i64,
    /// When it was asked for.
    pub created_at: Timestamp,
    /// When it came further last.
    pub updated_at: Timestamp,
    /// When it ended.
    pub finished_at: Option<Timestamp>,
}

/// How far a replay came in one go.
#[derive(Debug, Default)]
pub struct Progress {
    /// Events up to this one are done; `None` if there was none.
    pub done: Option<Place<Uuid>>,
    /// How many more events were looked at.
    pub examined: i64,
    /// How many more are to be delivered again.
    pub found: i64,
    /// How many more are in the queue.
    pub published: i64,
    /// Whether it has ended: with success, or why not.
    pub ended: Option<Result<(), String>>,
    /// How long nobody need look at it.
    pub pause: Duration,
}

/// An event that a replay looks at.
#[derive(Debug)]
pub struct Candidate {
    /// Where it stands: the event's time and reference.
    pub place: Place<Uuid>,
    /// Its type.
    pub event_type: String,
    /// Its company.
    pub company_id: String,
    /// The producer's original bytes; `None` where they are not asked for.
    pub message: Option<Bytes>,
    /// Whether it was routed to the webhook.
    pub is_routed: bool,
    /// The step of its delivery's latest attempt; `None` without one.
    pub last_step: Option<StepKind>,
}

const COLUMNS: &str =
    "id, webhook_id, since, until, event_types, kind, dry_run, companies, state, error, done_at,
    done_ref, examined, found, published, created_at, updated_at, finished_at";

impl Background {
    /// Begins a replay.
    ///
    /// # Errors
    /// If the database refuses or is gone.
    pub async fn add_replay(&self, replay: &NewReplay, actor: &Actor) -> Result<ReplayRecord, StoreError> {
        let insert = format!(
            "INSERT INTO replays (id, webhook_id, since, until, event_types, kind, dry_run, companies)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8) RETURNING {COLUMNS}"
        );
        let NewReplay { id, webhook_id, since, until, kind, dry_run, companies, .. } = replay;
        let types = replay.event_types.as_ref().map(Json);
        let after = serde_json::json!({
            "webhook_id": webhook_id, "since": since, "until": until, "event_types": replay.event_types,
            "only": kind, "dry_run": dry_run,
        });
        let mut client = self.pool.client().await?;
        let added = async {
            let transaction = client.transaction().await?;
            let params: [&(dyn ToSql + Sync); 8] =
                [id, &webhook_id.0, since, until, &types, &kind.label(), dry_run, companies];
            let added = transaction.query_one(&insert, &params).await?;
            audit::note(&transaction, actor, "replay", &subject(*id), Some(&after)).await?;
            transaction.commit().await?;
            Ok(added)
        };
        read(&added.await.map_err(StoreError::query("begin the replay"))?)
    }

    /// One replay.
    ///
    /// # Errors
    /// If the database refuses or is gone.
    pub async fn replay(&self, id: Uuid) -> Result<Option<ReplayRecord>, StoreError> {
        let client = self.pool.client().await?;
        let row = client.query_opt(&format!("SELECT {COLUMNS} FROM replays WHERE id = $1"), &[&id]).await;
        row.map_err(StoreError::query("look the replay up"))?.as_ref().map(read).transpose()
    }

    /// A webhook's replays, the latest first, before one of them.
    ///
    /// # Errors
    /// If the database refuses or is gone.
    pub async fn replays(
        &self,
        webhook: WebhookId,
        before: Option<Uuid>,
        limit: i64,
    ) -> Result<Vec<ReplayRecord>, StoreError> {
        let query = format!(
            "SELECT {COLUMNS} FROM replays WHERE webhook_id = $1 AND ($2::uuid IS NULL OR id < $2)
             ORDER BY id DESC LIMIT $3"
        );
        let client = self.pool.client().await?;
        let rows = client.query(&query, &[&webhook.0, &before, &limit]).await;
        rows.map_err(StoreError::query("list replays"))?.iter().map(read).collect()
    }

    /// Ends a replay that runs; what it has published stays. One that has ended stays as it is.
    ///
    /// # Errors
    /// If the database refuses or is gone.
    pub async fn cancel_replay(&self, id: Uuid, actor: &Actor) -> Result<Option<ReplayRecord>, StoreError> {
        let update = "UPDATE replays SET state = 'canceled', finished_at = now(), updated_at = now()
                      WHERE id = $1 AND state = 'running'";
        let mut client = self.pool.client().await?;
        let canceled = async {
            let transaction = client.transaction().await?;
            if transaction.execute(update, &[&id]).await? == 1 {
                audit::note(&transaction, actor, "replay", &subject(id), None).await?;
            }
            transaction.commit().await
        };
        canceled.await.map_err(StoreError::query("cancel the replay"))?;
        drop(client);
        self.replay(id).await
    }

    /// Claims a replay that is due, for `time`; `None` if none is.
    ///
    /// # Errors
    /// If the database refuses or is gone.
    pub async fn claim_replay(
        &self,
        process: Uuid,
        time: Duration,
    ) -> Result<Option<ReplayRecord>, StoreError> {
        let update = format!(
            "UPDATE replays SET claimed_by = $1, claimed_until = now() + $2 * interval '1 second'
             WHERE id = (SELECT id FROM replays WHERE state = 'running' AND claimed_until <= now()
                         ORDER BY claimed_until LIMIT 1 FOR UPDATE SKIP LOCKED)
             RETURNING {COLUMNS}"
        );
        let client = self.pool.client().await?;
        let row = client.query_opt(&update, &[&process, &time.as_secs_f64()]).await;
        row.map_err(StoreError::query("claim a replay"))?.as_ref().map(read).transpose()
    }

    /// Writes how far a claimed replay has come, unless it was canceled or taken over.
    ///
    /// # Errors
    /// If the database refuses or is gone.
    pub async fn advance_replay(
        &self,
        id: Uuid,
        process: Uuid,
        progress: &Progress,
    ) -> Result<(), StoreError> {
        let update = "UPDATE replays
                      SET done_at = coalesce($3, done_at), done_ref = coalesce($4, done_ref),
                          examined = examined + $5, found = found + $6, published = published + $7,
                          state = $8, error = $9, finished_at = CASE WHEN $8 <> 'running' THEN now() END,
                          updated_at = now(), claimed_until = now() + $10 * interval '1 second'
                      WHERE id = $1 AND claimed_by = $2 AND state = 'running'";
        let (state, error) = match &progress.ended {
            None => (State::Running, None),
            Some(Ok(())) => (State::Finished, None),
            Some(Err(why)) => (State::Stopped, Some(why)),
        };
        let (done_at, done_ref) = progress.done.as_ref().map(|done| (done.at, done.id)).unzip();
        let Progress { examined, found, published, pause, .. } = progress;
        let client = self.pool.client().await?;
        let written = client
            .execute(
                update,
                &[
                    &id,
                    &process,
                    &done_at,
                    &done_ref,
                    examined,
                    found,
                    published,
                    &state.label(),
                    &error,
                    &pause.as_secs_f64(),
                ],
            )
            .await;
        written.map(|_| ()).map_err(StoreError::query("go on with the replay"))
    }

    /// The next events that a replay looks at, in order. Those that were not routed to its webhook come
    /// with their bytes only if it asks for what was missed.
    ///
    /// # Errors
    /// If the database refuses or is gone.
    pub async fn candidates(&self, replay: &ReplayRecord, limit: i64) -> Result<Vec<Candidate>, StoreError> {
        let query = "SELECT received_at, ref, type, company_id, is_routed,
                            CASE WHEN is_routed OR $8 THEN message END AS message,
                            CASE WHEN is_routed THEN
                                (SELECT step FROM attempts
                                 WHERE event_ref = scanned.ref AND digest = scanned.digest AND webhook_id = $1
                                 ORDER BY started_at DESC, id DESC LIMIT 1) END AS last_step
                     FROM (SELECT received_at, ref, digest, type, company_id, message, $1 = ANY (webhook_ids) AS is_routed
                           FROM events
                           WHERE received_on BETWEEN $2 AND $3 AND received_at >= $4 AND received_at < $5
                             AND (received_at, ref) > ($6, $7)
                           ORDER BY received_at, ref LIMIT $9) AS scanned
                     ORDER BY received_at, ref";
        let NewReplay { webhook_id, since, until, kind, .. } = &replay.asked;
        let (at, id) =
            replay.done.as_ref().map_or((Timestamp::UNIX_EPOCH, Uuid::nil()), |done| (done.at, done.id));
        let (from, to) = (day_of((*since).max(at)), day_of(*until));
        let client = self.pool.client().await?;
        let wants_missed = match kind {
            Kind::Failed => false,
            Kind::Missed | Kind::All => true,
        };
        let rows = client
            .query(query, &[&webhook_id.0, &from, &to, since, until, &at, &id, &wants_missed, &limit])
            .await;
        let rows = rows.map_err(StoreError::query("look for deliveries to replay"))?;
        rows.iter().map(read_candidate).collect()
    }
}

/// How the audit log names it.
fn subject(id: Uuid) -> String {
    format!("rpl_{}", id.simple())
}

fn read_candidate(row: &Row) -> Result<Candidate, StoreError> {
    let event = EventRef(row.get("ref"));
    let unreadable = StoreError::unreadable(format!("the latest attempt to deliver {event}"));
    Ok(Candidate {
        place: Place { at: row.get("received_at"), id: event.0 },
        event_type: row.get("type"),
        company_id: row.get("company_id"),
        message: row.get::<_, Option<Vec<u8>>>("message").map(Bytes::from),
        is_routed: row.get("is_routed"),
        last_step: optional_word(row, "last_step").map_err(unreadable)?,
    })
}

fn read(row: &Row) -> Result<ReplayRecord, StoreError> {
    let id: Uuid = row.get("id");
    let unreadable = || StoreError::unreadable(format!("replay rpl_{}", id.simple()));
    let done_at: Option<Timestamp> = row.get("done_at");
    let types: Option<Json<Vec<TypePattern>>> = row.get("event_types");
    Ok(ReplayRecord {
        asked: NewReplay {
            id,
            webhook_id: WebhookId(row.get("webhook_id")),
            since: row.get("since"),
            until: row.get("until"),
            event_types: types.map(|Json(types)| types),
            kind: word(row, "kind").map_err(unreadable())?,
            dry_run: row.get("dry_run"),
            companies: row.get("companies"),
        },
        state: word(row, "state").map_err(unreadable())?,
        error: row.get("error"),
        done: done_at.map(|at| Place { at, id: row.get("done_ref") }),
        examined: row.get("examined"),
        found: row.get("found"),
        published: row.get("published"),
        created_at: row.get("created_at"),
        updated_at: row.get("updated_at"),
        finished_at: row.get("finished_at"),
    })
}
