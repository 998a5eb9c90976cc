//! Tells why a request got no answer.

use std::{error::Error, io};

use posthorn_domain::{
    address::Forbidden,
    outcome::{Outcome, UnreachableClass},
    told::told,
};

use crate::resolver::CannotResolve;

/// The outcome of a request that failed.
pub(crate) fn outcome(error: reqwest::Error) -> Outcome {
    let error = error.without_url();
    let class = classify(&error);
    // The outermost says only that a request failed, which is known.
    let error = error.source().map_or_else(|| error.to_string(), told);
    Outcome::Unreachable { class, error }
}

fn classify(error: &reqwest::Error) -> UnreachableClass {
    if let Some(class) = causes(error).find_map(|cause| class_of(cause, error.is_connect())) {
        return class;
    }
    match (error.is_timeout(), error.is_connect()) {
        (true, _) => UnreachableClass::Timeout,
        (_, true) => UnreachableClass::Connect,
        (false, false) => UnreachableClass::Reset,
    }
}

/// What this cause alone says, if it says anything.
fn class_of(cause: &(dyn Error + 'static), connecting: bool) -> Option<UnreachableClass> {
    if cause.is::<Forbidden>() {
        return Some(UnreachableClass::Blocked);
    }
    if cause.is::<CannotResolve>() {
        return Some(UnreachableClass::Dns);
    }
    if cause.is::<rustls::Error>() {
        return Some(UnreachableClass::Tls);
    }
    if let Some(error) = cause.downcast_ref::<hyper::Error>() {
        return error.is_parse().then_some(UnreachableClass::InvalidReply);
    }
    let error = cause.downcast_ref::<io::Error>()?;
    // The source of an I/O error is that of the error which it wraps, not that error itself.
    if let Some(inner) = error.get_ref() {
        return class_of(inner, connecting);
    }
    match error.kind() {
        io::ErrorKind::TimedOut => Some(UnreachableClass::Timeout),
        _ if connecting => None,
        _ => Some(UnreachableClass::Reset),
    }
}

fn causes<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(Some(error), |&error| error.source())
}
