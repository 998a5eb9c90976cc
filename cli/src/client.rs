//! The management API, asked over HTTP: one request at a time, and lists page by page.

use std::time::Duration;

use anyhow::Context;
use reqwest::{
    Method, Url,
    header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue, RETRY_AFTER},
    redirect,
};
use serde::{Deserialize, Serialize};
use serde_json::value::{RawValue, to_raw_value};
use tokio::time::sleep;

mod problem;

pub(crate) use problem::ApiError;

/// Longer than the longest request takes: a test of a webhook, 30 seconds.
const PATIENCE: Duration = Duration::from_secs(60);
/// What the API allows for a page.
pub(crate) const LONGEST_PAGE: usize = 250;
/// How often a request is made that the API has put off since too many came.
const MOST_TRIES: usize = 5;
/// Longer than that is not waited before the next.
const LONGEST_PAUSE: u64 = 10;

const JSON: &str = "application/json";
const MERGE_PATCH: &str = "application/merge-patch+json";

/// Someone who asks the API.
pub(crate) struct Client {
    http: reqwest::Client,
    base: Url,
    authorization: HeaderValue,
}

/// What the API answered, as it came: numbers in an event's data stay as they are.
pub(crate) struct Answer(String);

/// What stands behind `?`: names with their values, if there are any.
pub(crate) type Query<'a> = &'a [(&'a str, Option<String>)];

/// Rows of a list.
#[derive(Default)]
pub(crate) struct Listed {
    /// As they came.
    pub(crate) rows: Vec<Box<RawValue>>,
    /// Whether there are more.
    pub(crate) more: bool,
}

#[derive(Deserialize)]
struct Page {
    data: Vec<Box<RawValue>>,
    next_cursor: Option<String>,
}

impl Client {
    /// Someone with this token, at this place.
    pub(crate) fn new(base: Url, token: &str) -> anyhow::Result<Self> {
        let mut authorization = HeaderValue::try_from(format!("Bearer {token}"))
            .context("POSTHORN_API_TOKEN holds what no token has")?;
        authorization.set_sensitive(true);
        let http = reqwest::Client::builder()
            .user_agent(concat!("posthorn/", env!("CARGO_PKG_VERSION")))
            .timeout(PATIENCE)
            .redirect(redirect::Policy::none())
            .tls_backend_preconfigured(posthorn_attempt::tls()?)
            .build()
            .context("cannot prepare the HTTP client")?;
        Ok(Self { http, base, authorization })
    }

    pub(crate) async fn get(&self, path: &[&str], query: Query<'_>) -> Result<Answer, ApiError> {
        self.ask(Method::GET, path, query, None).await
    }

    /// POST without a body.
    pub(crate) async fn act(&self, path: &[&str]) -> Result<Answer, ApiError> {
        self.ask(Method::POST, path, &[], None).await
    }

    pub(crate) async fn post(&self, path: &[&str], body: String) -> Result<Answer, ApiError> {
        self.ask(Method::POST, path, &[], Some((JSON, body))).await
    }

    pub(crate) async fn patch(&self, path: &[&str], body: String) -> Result<Answer, ApiError> {
        self.ask(Method::PATCH, path, &[], Some((MERGE_PATCH, body))).await
    }

    pub(crate) async fn put(
        &self,
        path: &[&str],
        query: Query<'_>,
        body: String,
    ) -> Result<Answer, ApiError> {
        self.ask(Method::PUT, path, query, Some((JSON, body))).await
    }

    pub(crate) async fn delete(&self, path: &[&str], query: Query<'_>) -> Result<Answer, ApiError> {
        self.ask(Method::DELETE, path, query, None).await
    }

    /// At most so many rows of a list.
    pub(crate) async fn list(&self, path: &[&str], query: Query<'_>, most: usize) -> anyhow::Result<Listed> {
        let mut listed = Listed::default();
        let mut cursor = None;
        loop {
            let wanted = (most - listed.rows.len()).min(LONGEST_PAGE);
            let paging = [("limit", Some(wanted.to_string())), ("cursor", cursor)];
            let page: Page = self.get(path, &[query, &paging].concat()).await?.read()?;
            listed.rows.extend(page.data);
            listed.more = page.next_cursor.is_some();
            if !listed.more || listed.rows.len() >= most {
                return Ok(listed);
            }
            cursor = page.next_cursor;
        }
    }

    /// Makes a request; again, a little later, while the API puts it off since too many came.
    async fn ask(
        &self,
        method: Method,
        path: &[&str],
        query: Query<'_>,
        body: Option<(&'static str, String)>,
    ) -> Result<Answer, ApiError> {
        let mut tries = 1;
        loop {
            match self.ask_once(method.clone(), path, query, &body).await {
                Err(ApiError::Refused(problem)) if problem.is_about_rates() && tries < MOST_TRIES => {
                    sleep(Duration::from_secs(problem.retry_after.unwrap_or(1).min(LONGEST_PAUSE))).await;
                    tries += 1;
                }
                asked => return asked,
            }
        }
    }

    async fn ask_once(
        &self,
        method: Method,
        path: &[&str],
        query: Query<'_>,
        body: &Option<(&'static str, String)>,
    ) -> Result<Answer, ApiError> {
        let unreachable = |source| ApiError::Unreachable { base: self.base.clone(), source };
        let request = self.http.request(method, self.url(path, query));
        let request = request.header(AUTHORIZATION, self.authorization.clone());
        let request = match body {
            Some((media_type, text)) => request.header(CONTENT_TYPE, *media_type).body(text.clone()),
            None => request,
        };
        let response = request.send().await.map_err(unreachable)?;
        let (status, retry_after) = (response.status(), retry_after(response.headers()));
        let text = response.text().await.map_err(unreachable)?;
        match status.is_success() {
            true => Ok(Answer(text)),
            false => Err(ApiError::of(&self.base, status, retry_after, &text)),
        }
    }

    fn url(&self, path: &[&str], query: Query<'_>) -> Url {
        let mut url = self.base.clone();
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().extend(path);
        }
        let given: Vec<_> = query.iter().filter_map(|(name, value)| Some((*name, value.as_ref()?))).collect();
        if !given.is_empty() {
            url.query_pairs_mut().extend_pairs(given);
        }
        url
    }
}

fn retry_after(headers: &HeaderMap) -> Option<u64> {
    headers.get(RETRY_AFTER)?.to_str().ok()?.parse().ok()
}

impl Answer {
    /// As it came.
    pub(crate) fn text(&self) -> &str {
        &self.0
    }

    pub(crate) fn read<'a, T: Deserialize<'a>>(&'a self) -> anyhow::Result<T> {
        serde_json::from_str(&self.0).context("the API answered what this version does not understand")
    }
}

impl Answer {
    /// What was answered here, as the API would.
    pub(crate) fn of(view: &impl Serialize) -> anyhow::Result<Self> {
        Ok(Self(serde_json::to_string_pretty(view)?))
    }
}

impl Listed {
    /// Adds rows that were answered here.
    pub(crate) fn extend(&mut self, rows: &[impl Serialize]) -> anyhow::Result<()> {
        for row in rows {
            self.rows.push(to_raw_value(row)?);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_and_queries_are_written_so_that_nothing_in_an_id_counts() {
        let url = |base: &str, path: &[&str], query: Query<'_>| {
            Client::new(base.parse().unwrap(), "pht_x").unwrap().url(path, query).to_string()
        };
        assert_eq!(
            url("https://example.com", &["v1", "events", "a/b?c#d%e"], &[]),
            "https://example.com/v1/events/a%2Fb%3Fc%23d%25e"
        );
        assert_eq!(
            url("http://127.0.0.1/base/", &["v1", "events:batch"], &[("a", Some("b&c".into())), ("d", None)]),
            "http://127.0.0.1/base/v1/events:batch?a=b%26c"
        );
    }
}
