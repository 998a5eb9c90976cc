//! Journal entries to and from their protobuf messages.

use std::{str::FromStr, time::Duration};

use bytes::Bytes;
use jiff::Timestamp;
use posthorn_proto::v1::{self, journal_entry::Entry as Wire};
use prost::Message;
use uuid::Uuid;

use super::entry::{Attempted, Dropped, Entry, Rejected, Routed};
use crate::{
    event::ContentDigest,
    id::{AttemptId, EventId, WebhookId},
    outcome::{Outcome, OutcomeParts, Phases},
    step::Step,
    time,
    words::UnknownWord,
};

/// Bytes that are no journal batch, or an entry of a version that this one doesn't know.
#[derive(Debug, thiserror::Error)]
#[error("not a journal batch: {0}")]
pub struct BadBatch(String);

/// Writes a batch for the broker.
pub fn encode<'a>(entries: impl IntoIterator<Item = &'a Entry>) -> Bytes {
    let entries = entries.into_iter().map(|entry| v1::JournalEntry { entry: Some(write(entry)) });
    v1::JournalBatch { entries: entries.collect() }.encode_to_vec().into()
}

/// Reads a batch.
///
/// # Errors
/// If any part of it cannot be read.
pub fn decode(batch: Bytes) -> Result<Vec<Entry>, BadBatch> {
    let batch = v1::JournalBatch::decode(batch).map_err(|error| BadBatch(error.to_string()))?;
    batch.entries.into_iter().map(|entry| read(entry.entry)).collect()
}

pub(super) fn write(entry: &Entry) -> Wire {
    match entry {
        Entry::Routed(routed) => Wire::Routed(v1::Routed {
            message: routed.message.clone(),
            received_at: Some(time::write(routed.received_at)),
            webhook_ids: routed.webhook_ids.iter().map(|id| write_uuid(id.0)).collect(),
        }),
        Entry::Rejected(rejected) => Wire::Rejected(v1::Rejected {
            id: write_uuid(rejected.id),
            rejected_at: Some(time::write(rejected.rejected_at)),
            field: rejected.field.to_string(),
            reason: rejected.reason.clone(),
            routing_key: rejected.routing_key.clone(),
            message_id: rejected.message_id.clone(),
            size: rejected.size,
            message: rejected.message.clone(),
        }),
        Entry::Attempted(attempted) => Wire::Attempted(write_attempted(attempted)),
        Entry::Dropped(dropped) => Wire::Dropped(v1::Dropped {
            event_id: dropped.event_id.to_string(),
            company_id: dropped.company_id.clone(),
            webhook_id: write_uuid(dropped.webhook_id.0),
            dropped_at: Some(time::write(dropped.dropped_at)),
            reason: dropped.reason.clone(),
        }),
    }
}

fn write_attempted(attempted: &Attempted) -> v1::Attempted {
    let (class, error) =
        attempted.outcome.unreachable().map_or(("", ""), |(class, error)| (class.label(), error));
    v1::Attempted {
        id: write_uuid(attempted.id.0),
        event_id: attempted.event_id.to_string(),
        event_type: attempted.event_type.clone(),
        company_id: attempted.company_id.clone(),
        digest: write_uuid(attempted.digest.0),
        webhook_id: write_uuid(attempted.webhook_id.0),
        epoch: attempted.epoch,
        attempt: attempted.attempt,
        started_at: Some(time::write(attempted.started_at)),
        duration_ms: millis(attempted.duration),
        dns_ms: attempted.phases.dns.map(millis),
        connect_ms: attempted.phases.connect.map(millis),
        first_byte_ms: millis(attempted.phases.first_byte),
        outcome: attempted.outcome.label().to_owned(),
        status: attempted.outcome.status().unwrap_or_default().into(),
        unreachable_class: class.to_owned(),
        error: error.to_owned(),
        response_headers: attempted.response_headers.iter().map(write_header).collect(),
        response_body: attempted.response_body.clone(),
        step: attempted.step.kind().to_string(),
        next_attempt_at: attempted.step.next_attempt().map(time::write),
        first_attempt_at: Some(time::write(attempted.first_attempt_at)),
        address: attempted.address.map(|address| address.to_string()).unwrap_or_default(),
    }
}

fn write_header((name, value): &(String, String)) -> v1::Header {
    v1::Header { name: name.clone(), value: value.clone() }
}

fn millis(time: Duration) -> u32 {
    time.as_millis().try_into().unwrap_or(u32::MAX)
}

fn read(entry: Option<Wire>) -> Result<Entry, BadBatch> {
    Ok(match entry.ok_or_else(|| BadBatch("an entry of an unknown kind".to_owned()))? {
        Wire::Routed(routed) => {
            let ids = routed.webhook_ids.iter().map(|id| Ok(WebhookId(read_uuid(id)?)));
            Entry::Routed(Routed {
                received_at: read_time(routed.received_at)?,
                webhook_ids: ids.collect::<Result<_, _>>()?,
                message: routed.message,
            })
        }
        Wire::Rejected(rejected) => Entry::Rejected(Rejected {
            id: read_uuid(&rejected.id)?,
            rejected_at: read_time(rejected.rejected_at)?,
            field: read_word(&rejected.field)?,
            reason: rejected.reason,
            routing_key: rejected.routing_key,
            message_id: rejected.message_id,
            size: rejected.size,
            message: rejected.message,
        }),
        Wire::Attempted(attempted) => Entry::Attempted(Box::new(read_attempted(attempted)?)),
        Wire::Dropped(dropped) => Entry::Dropped(Dropped {
            event_id: EventId(dropped.event_id),
            company_id: dropped.company_id,
            webhook_id: WebhookId(read_uuid(&dropped.webhook_id)?),
            dropped_at: read_time(dropped.dropped_at)?,
            reason: dropped.reason,
        }),
    })
}

fn read_attempted(attempted: v1::Attempted) -> Result<Attempted, BadBatch> {
    let next_attempt_at = attempted.next_attempt_at.map(|at| read_time(Some(at))).transpose()?;
    let step = Step::of_parts(read_word(&attempted.step)?, next_attempt_at);
    Ok(Attempted {
        id: AttemptId(read_uuid(&attempted.id)?),
        webhook_id: WebhookId(read_uuid(&attempted.webhook_id)?),
        epoch: attempted.epoch,
        attempt: attempted.attempt,
        started_at: read_time(attempted.started_at)?,
        duration: Duration::from_millis(attempted.duration_ms.into()),
        first_attempt_at: read_time(attempted.first_attempt_at)?,
        outcome: read_outcome(&attempted)?,
        phases: read_phases(&attempted),
        // What is none is left out: only people look at it.
        address: attempted.address.parse().ok(),
        digest: ContentDigest(read_uuid(&attempted.digest)?),
        event_id: EventId(attempted.event_id),
        event_type: attempted.event_type,
        company_id: attempted.company_id,
        response_headers: attempted.response_headers.into_iter().map(|it| (it.name, it.value)).collect(),
        response_body: attempted.response_body,
        step: step.map_err(|error| BadBatch(error.to_string()))?,
    })
}

fn read_outcome(attempted: &v1::Attempted) -> Result<Outcome, BadBatch> {
    let status = u16::try_from(attempted.status).map_err(|_| BadBatch("a status beyond 65535".to_owned()))?;
    let class = match attempted.unreachable_class.as_str() {
        "" => None,
        class => Some(read_word(class)?),
    };
    let parts = OutcomeParts {
        kind: read_word(&attempted.outcome)?,
        status: Some(status),
        class,
        error: Some(attempted.error.clone()),
    };
    Outcome::of_parts(parts).map_err(|error| BadBatch(error.to_string()))
}

fn read_word<Word: FromStr<Err = UnknownWord>>(word: &str) -> Result<Word, BadBatch> {
    word.parse().map_err(|unknown: UnknownWord| BadBatch(unknown.to_string()))
}

fn read_phases(attempted: &v1::Attempted) -> Phases {
    let time = |ms: u32| Duration::from_millis(ms.into());
    Phases {
        dns: attempted.dns_ms.map(time),
        connect: attempted.connect_ms.map(time),
        first_byte: time(attempted.first_byte_ms),
    }
}

fn write_uuid(id: Uuid) -> Bytes {
    Bytes::copy_from_slice(id.as_bytes())
}

fn read_uuid(bytes: &[u8]) -> Result<Uuid, BadBatch> {
    Uuid::from_slice(bytes).map_err(|error| BadBatch(error.to_string()))
}

fn read_time(time: Option<prost_types::Timestamp>) -> Result<Timestamp, BadBatch> {
    time::read(time).map_err(BadBatch)
}
