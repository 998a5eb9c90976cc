//! Which event a caller means: by its reference, or by its producer's id, which is unique only within a
//! company.

use posthorn_domain::id::EventRef;
use posthorn_store::EventRecord;

use crate::{
    caller::Caller,
    problem::{Problem, Wrong},
    state::Api,
};

/// An event that the caller may see, named by its reference or its producer's id.
///
/// # Errors
/// 404 if there is none, 409 if the name is that of several: the problem names each.
pub(crate) async fn event(api: &Api, caller: &Caller, name: &str) -> Result<EventRecord, Problem> {
    let missing = || Problem::not_found("event");
    if name.contains('\0') {
        return Err(missing());
    }
    let by_reference = match name.parse() {
        Ok(event) => api.store.history.event(event).await?.filter(|event| caller.sees(&event.company_id)),
        Err(_) => None,
    };
    let called = api.store.history.events_called(name, caller.companies.as_deref()).await?;
    match (by_reference, &*called) {
        (Some(found), []) => Ok(found),
        (None, [(only, _)]) => api.store.history.event(*only).await?.ok_or_else(missing),
        (None, []) => Err(missing()),
        (found, called) => {
            let found = found.map(|found| (found.event_ref, found.company_id));
            Err(ambiguous(name, found.iter().chain(called)))
        }
    }
}

fn ambiguous<'a>(name: &str, events: impl Iterator<Item = &'a (EventRef, String)>) -> Problem {
    let of = |(event, company): &(EventRef, String)| {
        let detail = match company.as_str() {
            "" => format!("{event}, of no company"),
            company => format!("{event}, of the company `{company}`"),
        };
        Wrong::parameter("event", "ambiguous_event", detail)
    };
    let detail = format!("`{name}` is the id of several events: name the one you mean by its reference");
    Problem::ambiguous(detail, events.map(of).collect())
}
