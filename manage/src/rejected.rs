//! Rejected events: messages that are no events, looked at, repaired, discarded.
//!
//! Nobody knows whose they are: a principal of some companies sees none.

use bytes::Bytes;
use jiff::Timestamp;
use posthorn_domain::{
    event::{Event, Field},
    id::EventRef,
    rejected::Resolution,
};
use posthorn_proto::v1;
use posthorn_store::RejectedRecord;
use prost::Message;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use crate::{
    error::{Error, Kind, Wrong},
    events::EventInput,
    ids::RejectedId,
    manage::{Manage, Shared},
    once::{Done, Once},
    page::{PageOf, Paging},
    principal::{May, Principal, Read, Write},
};

/// The most bytes that are shown.
const MOST_SHOWN: usize = 64 << 10;

/// A message that is no event.
#[derive(Debug, Serialize, ToSchema)]
pub struct Rejected {
    /// `rej_…`
    pub id: String,
    /// When it was refused.
    pub rejected_at: Timestamp,
    /// The field at fault, or `message` for the whole.
    #[schema(value_type = String)]
    pub field: Field,
    /// What is wrong with it.
    pub reason: String,
    /// The AMQP routing key it came with.
    pub routing_key: String,
    /// The AMQP message id it came with.
    pub message_id: String,
    /// Its size in bytes.
    pub size: i64,
    /// What somebody has made of it: `published` again, or `discarded`; null if nobody has looked after it.
    #[schema(value_type = Option<String>)]
    pub resolution: Option<Resolution>,
    /// When that was.
    pub resolved_at: Option<Timestamp>,
}

/// A message that is no event, with its bytes.
#[derive(Debug, Serialize, ToSchema)]
pub struct RejectedDetail {
    /// The message.
    #[serde(flatten)]
    pub rejected: Rejected,
    /// Its first 64 KiB in hexadecimal digits.
    pub hex: String,
    /// The same as text; what is no text in it is replaced.
    pub text: String,
    /// Whether these are all its bytes.
    pub is_whole: bool,
}

impl From<RejectedRecord> for Rejected {
    fn from(row: RejectedRecord) -> Self {
        Self {
            id: RejectedId(row.id).to_string(),
            rejected_at: row.rejected_at,
            field: row.field,
            reason: row.reason,
            routing_key: row.routing_key,
            message_id: row.message_id,
            size: row.size,
            resolution: row.resolution,
            resolved_at: row.resolved_at,
        }
    }
}

/// What a list of rejected events may be asked for.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(default, deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct List {
    /// How many at most.
    #[param(minimum = 1, maximum = 250, default = 50)]
    pub limit: Option<usize>,
    /// Where the page begins: `next_cursor` of the last.
    pub cursor: Option<String>,
    /// Only those that nobody has looked after (true), or only the others (false).
    pub open: Option<bool>,
}

/// Rejected events, the latest first.
///
/// # Errors
/// If what is asked for cannot be.
pub async fn list(manage: &Manage, by: &May<Read>, asked: List) -> Result<PageOf<Rejected>, Error> {
    let paging = Paging::<Uuid>::read(asked.limit, asked.cursor.as_deref())?;
    if by.companies.is_some() {
        return Ok(PageOf::empty());
    }
    let rows = manage.store.history.rejected_events(paging.behind, asked.open, paging.limit as i64).await?;
    Ok(paging.page(rows, |row| row.id, Rejected::from))
}

/// Shows a rejected event with its bytes, as hexadecimal digits and as text.
///
/// # Errors
/// If there is none.
pub async fn show(manage: &Manage, by: &May<Read>, id: &str) -> Result<RejectedDetail, Error> {
    let (row, bytes) = find(manage, by, id).await?;
    let shown = &bytes[..bytes.len().min(MOST_SHOWN)];
    Ok(RejectedDetail {
        is_whole: usize::try_from(row.size).is_ok_and(|size| size == shown.len()),
        hex: shown.iter().map(|byte| format!("{byte:02x}")).collect(),
        text: String::from_utf8_lossy(shown).into_owned(),
        rejected: row.into(),
    })
}

/// A rejected event that was published.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct Republished {
    /// `rej_…`
    pub id: String,
    /// The event that was published.
    #[schema(value_type = String)]
    pub event_ref: EventRef,
    /// Its id.
    pub event_id: String,
}

/// Publishes a rejected event after repair; without one as it is, if it is an event by now.
///
/// It is promised in PostgreSQL, together with its audit entry, before it is sent.
///
/// # Errors
/// If it is no event, there is no such message, or somebody has looked after it.
pub async fn publish(
    manage: &Shared,
    by: &May<Write>,
    id: &str,
    once: Once,
    repaired: Option<EventInput>,
) -> Result<Done<Republished>, Error> {
    let (row, bytes) = find(manage, by, id).await?;
    let (shared, may) = (manage.clone(), by.clone());
    let act = async move {
        let (manage, by) = (shared, may);
        must_be_open(&row)?;
        let event = match repaired {
            None => as_it_is(&row, bytes, &manage)?,
            Some(repaired) => repaired.read(&manage, &by).await?,
        };
        let (message, actor) = (event.encode_to_vec().into(), by.acts("rejected_event.publish"));
        let promised = manage.store.background.publish_rejected_event(row.id, message, &actor).await?;
        manage.send(promised.ok_or_else(|| resolved("resolved"))?).await;
        let event_ref = EventRef::new(&event.company_id, &event.id);
        Ok(Republished { id: RejectedId(row.id).to_string(), event_ref, event_id: event.id })
    };
    manage.once(by, once, act).await
}

fn as_it_is(row: &RejectedRecord, bytes: Bytes, manage: &Manage) -> Result<v1::Event, Error> {
    let wrong = |detail: String| Error::invalid(vec![Wrong::at("", "bad_event", detail)]);
    if usize::try_from(row.size).is_ok_and(|size| size != bytes.len()) {
        return Err(wrong("only the beginning of the message was kept: give the repaired event".to_owned()));
    }
    if let Err(rejection) = Event::decode(&bytes, manage.settings.most_event_bytes) {
        return Err(wrong(format!("it is still no event ({rejection}): give the repaired one")));
    }
    v1::Event::decode(bytes).map_err(|error| wrong(error.to_string()))
}

/// Discards a rejected event: it stays in the list as discarded.
///
/// # Errors
/// If there is none, or somebody has looked after it.
pub async fn discard(manage: &Manage, by: &May<Write>, id: &str) -> Result<(), Error> {
    let (row, _) = find(manage, by, id).await?;
    must_be_open(&row)?;
    match manage.store.background.discard_rejected_event(row.id, &by.acts("rejected_event.discard")).await? {
        true => Ok(()),
        false => Err(resolved("resolved")),
    }
}

fn must_be_open(row: &RejectedRecord) -> Result<(), Error> {
    row.resolution.map_or(Ok(()), |resolution| Err(resolved(resolution.label())))
}

fn resolved(resolution: &str) -> Error {
    Error::new(Kind::Conflict, format!("it was {resolution} already"))
}

async fn find(manage: &Manage, by: &Principal, id: &str) -> Result<(RejectedRecord, Bytes), Error> {
    let id = RejectedId::read(id)?;
    let found = match by.companies {
        None => manage.store.history.rejected_event(id.0).await?,
        Some(_) => None,
    };
    found.ok_or_else(|| Error::not_found("rejected event"))
}
