//! Which event is meant: by its reference, or by its producer's id, which is unique only within a
//! company.

use posthorn_domain::id::EventRef;
use posthorn_store::EventRecord;

use crate::{
    error::{Error, Wrong},
    manage::Manage,
    principal::Principal,
};

/// An event that the principal may see, named by its reference or its producer's id.
///
/// # Errors
/// If there is none, or the name is that of several: the error names each.
pub(crate) async fn event(manage: &Manage, by: &Principal, name: &str) -> Result<EventRecord, Error> {
    let missing = || Error::not_found("event");
    if name.contains('\0') {
        return Err(missing());
    }
    let by_reference = match name.parse() {
        Ok(event) => manage.store.history.event(event).await?.filter(|event| by.sees(&event.company_id)),
        Err(_) => None,
    };
    let called = manage.store.history.events_called(name, by.companies.as_deref()).await?;
    match (by_reference, &*called) {
        (Some(found), []) => Ok(found),
        (None, [(only, _)]) => manage.store.history.event(*only).await?.ok_or_else(missing),
        (None, []) => Err(missing()),
        (found, called) => {
            let found = found.map(|found| (found.event_ref, found.company_id));
            Err(ambiguous(name, found.iter().chain(called)))
        }
    }
}

fn ambiguous<'a>(name: &str, events: impl Iterator<Item = &'a (EventRef, String)>) -> Error {
    let of = |(event, company): &(EventRef, String)| {
        let detail = match company.as_str() {
            "" => format!("{event}, of no company"),
            company => format!("{event}, of the company `{company}`"),
        };
        Wrong::parameter("event", "ambiguous_event", detail)
    };
    let detail = format!("`{name}` is the id of several events: name the one you mean by its reference");
    Error::ambiguous(detail, events.map(of).collect())
}
