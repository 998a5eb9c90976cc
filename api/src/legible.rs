//! What no request may hold, whatever its route: texts that are none; and what every answer says.

use axum::{
    extract::Request,
    http::{HeaderValue, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use percent_encoding::percent_decode_str;
use posthorn_manage::{Error, Kind, Wrong};

use crate::problem::Problem;

/// Refuses a path or a query that is not UTF-8 or holds a NUL: nothing is called so, and the database keeps
/// no such text.
pub(crate) async fn check(request: Request, next: Next) -> Response {
    match judge(request.uri().path(), request.uri().query().unwrap_or_default()) {
        Ok(()) => next.run(request).await,
        Err(error) => Problem::from(error).into_response(),
    }
}

fn judge(path: &str, query: &str) -> Result<(), Error> {
    if let Some(fault) = fault_of(path) {
        return Err(Error::new(Kind::Unreadable, format!("the path: {fault}")));
    }
    let wrong = |parameter: &str| {
        let name = parameter.split('=').next().unwrap_or_default();
        let name = percent_decode_str(name).decode_utf8_lossy().into_owned();
        fault_of(parameter).map(|fault| Wrong::parameter(&name, "bad_text", fault))
    };
    let wrong: Vec<_> = query.split('&').filter_map(wrong).collect();
    if wrong.is_empty() { Ok(()) } else { Err(Error::parameters(wrong)) }
}

fn fault_of(encoded: &str) -> Option<&'static str> {
    match percent_decode_str(encoded).decode_utf8() {
        Err(_) => Some("what its percent signs stand for is not UTF-8"),
        Ok(text) if text.contains('\0') => Some("it holds a NUL"),
        Ok(_) => None,
    }
}

/// Answers are for who asked, now, and are what they say they are.
pub(crate) async fn mark(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_that_are_none_are_refused_with_their_place() {
        assert!(judge("/v1/events/%c3%a9", "q=%c3%a9&cursor=a+b%20c&x").is_ok());
        for path in ["/v1/events/%00", "/v1/events/%ff", "/v1/events/%ed%a0%80"] {
            assert_eq!(judge(path, "").map_err(|error| error.kind), Err(Kind::Unreadable), "{path}");
        }
        for query in ["q=%00", "q=%ff", "a=1&q=a%ed%a0%80", "q%00=1"] {
            assert_eq!(judge("/", query).map_err(|error| error.kind), Err(Kind::BadParameters), "{query}");
        }
    }
}
