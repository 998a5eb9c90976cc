//! Queries: what stands behind `?`, with all that is wrong with it told at once.

use axum::{extract::FromRequestParts, http::request::Parts};
use posthorn_manage::{Error, Wrong};
use serde::de::DeserializeOwned;

use crate::{problem::Problem, state::Shared};

/// A query, read into a type whose fields are all optional and which denies unknown ones.
#[derive(Debug)]
pub(crate) struct Query<T>(pub(crate) T);

impl<T: DeserializeOwned> FromRequestParts<Shared> for Query<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _api: &Shared) -> Result<Self, Problem> {
        Ok(Self(read(parts.uri.query().unwrap_or_default()).map_err(Error::parameters)?))
    }
}

fn read<T: DeserializeOwned>(query: &str) -> Result<T, Vec<Wrong>> {
    let parameters = query.split('&').filter(|pair| !pair.is_empty());
    let wrong: Vec<_> = parameters.filter_map(fault::<T>).collect();
    if !wrong.is_empty() {
        return Err(wrong);
    }
    serde_urlencoded::from_str(query)
        .map_err(|error| vec![Wrong::parameter("", "repeated", error.to_string())])
}

fn fault<T: DeserializeOwned>(parameter: &str) -> Option<Wrong> {
    let error = serde_urlencoded::from_str::<T>(parameter).err()?.to_string();
    let name = parameter.split('=').next().unwrap_or_default();
    let code = if error.starts_with("unknown field") { "unknown_parameter" } else { "wrong_type" };
    Some(Wrong::parameter(name, code, error))
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Deserialize, PartialEq)]
    #[serde(default, deny_unknown_fields)]
    #[derive(Default)]
    struct Sample {
        limit: Option<usize>,
        word: Option<String>,
    }

    #[test]
    fn all_faults_of_a_query_are_told() {
        let wrong = read::<Sample>("limit=x&colour=red&word=a%20b").unwrap_err();
        let found: Vec<_> =
            wrong.iter().map(|it| (it.parameter.as_deref().unwrap(), it.code.as_str())).collect();
        assert_eq!(found, [("limit", "wrong_type"), ("colour", "unknown_parameter")]);
        let sample = read::<Sample>("limit=3&word=a%20b").unwrap();
        assert_eq!(sample, Sample { limit: Some(3), word: Some("a b".to_owned()) });
        assert!(read::<Sample>("word=a&word=b").is_err());
    }
}
