//! Statistics: how many events, attempts and failures, and how quick, of a webhook and of all.

use axum::{
    Json,
    extract::{Path, State},
};
use jiff::{SignedDuration, Timestamp};
use posthorn_domain::{
    id::WebhookId,
    statistics::{Latency, Tally},
};
use posthorn_store::{ALL_WEBHOOKS, Interval, Point, Span};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    caller::{May, Read},
    id,
    problem::{Kind, Problem, Wrong},
    query::{Moment, Query},
    state::{Api, Shared},
};

/// The most minutes or hours of an answer.
const MOST_POINTS: i64 = 1500;
/// Longer spans come by the hour unless minutes are asked for.
const LONGEST_BY_MINUTE: SignedDuration = SignedDuration::from_hours(6);

pub(crate) fn routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::new().routes(routes!(of_all)).routes(routes!(of_webhook))
}

/// What happened in a span of time.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Statistics {
    /// When it begins.
    since: Timestamp,
    /// When it ends.
    until: Timestamp,
    /// `minute` or `hour`.
    step: StepName,
    /// All of it.
    total: Counts,
    /// The minutes or hours in which something happened, the oldest first.
    data: Vec<Bar>,
}

/// What happened in a minute or an hour.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Bar {
    /// When it began.
    at: Timestamp,
    #[serde(flatten)]
    counts: Counts,
}

/// What was counted.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Counts {
    /// Events that the webhook wanted; of all webhooks: events that were routed.
    events: u64,
    /// Attempts that were accepted, each the end of a delivery.
    accepted: u64,
    /// Attempts that were refused.
    refused: u64,
    /// Attempts that met a 410.
    gone: u64,
    /// Attempts without an answer.
    unreachable: u64,
    /// Attempts that were interrupted again and again.
    interrupted: u64,
    /// Deliveries that failed for good.
    failed: u64,
    /// How long attempts took that were answered; null if there were none.
    latency_ms: Option<Percentiles>,
}

/// How long most take: wrong by a fifth at most.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Percentiles {
    /// What half of them do not exceed.
    p50: f64,
    /// What nine in ten do not exceed.
    p90: f64,
    /// What 95 in a hundred do not exceed.
    p95: f64,
    /// What 99 in a hundred do not exceed.
    p99: f64,
}

impl From<&Tally> for Counts {
    fn from(tally: &Tally) -> Self {
        let Tally { events, accepted, refused, gone, unreachable, interrupted, failed, .. } = *tally;
        let latency_ms = percentiles(&tally.latency);
        Self { events, accepted, refused, gone, unreachable, interrupted, failed, latency_ms }
    }
}

fn percentiles(latency: &Latency) -> Option<Percentiles> {
    let millis = |share| {
        let seconds = latency.percentile(share)?.as_secs_f64();
        Some((seconds * 10_000.0).round() / 10.0)
    };
    Some(Percentiles { p50: millis(0.5)?, p90: millis(0.9)?, p95: millis(0.95)?, p99: millis(0.99)? })
}

/// How long a step is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum StepName {
    /// A minute. They are kept for three days unless set otherwise.
    Minute,
    /// An hour.
    Hour,
}

/// Which statistics are asked for.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(default, deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct StatisticsQuery {
    /// From when on; left out: an hour before `until`.
    #[param(value_type = Option<String>, format = DateTime)]
    since: Option<Moment>,
    /// Before when; left out: now.
    #[param(value_type = Option<String>, format = DateTime)]
    until: Option<Moment>,
    /// By the minute or by the hour, at most 1,500 of them; left out: minutes for up to six hours.
    #[param(inline)]
    step: Option<StepName>,
}

impl StatisticsQuery {
    fn read(&self, now: Timestamp) -> Result<(Span, StepName), Problem> {
        let wrong = |name: &str, code: &str, detail: String| {
            Problem::parameters(vec![Wrong::parameter(name, code, detail)])
        };
        let until = self.until.map_or(now, |Moment(at)| at);
        let since = self.since.map_or(until - SignedDuration::from_hours(1), |Moment(at)| at);
        let length = until.duration_since(since);
        if length <= SignedDuration::ZERO {
            return Err(wrong("since", "out_of_range", "it is not before `until`".to_owned()));
        }
        let usual = if length > LONGEST_BY_MINUTE { StepName::Hour } else { StepName::Minute };
        let step = self.step.unwrap_or(usual);
        let points = match step {
            StepName::Minute => length.as_mins(),
            StepName::Hour => length.as_hours(),
        };
        match points <= MOST_POINTS {
            true => Ok((Span { since, until }, step)),
            false => Err(wrong("step", "out_of_range", format!("these are more than {MOST_POINTS} steps"))),
        }
    }
}

/// Statistics of all webhooks
///
/// Only for tokens that see all companies.
#[utoipa::path(get, path = "/v1/statistics", tag = "statistics", params(StatisticsQuery),
    security(("token" = ["read"])), responses((status = 200, body = Statistics)))]
async fn of_all(
    May { caller, .. }: May<Read>,
    State(api): State<Shared>,
    Query(query): Query<StatisticsQuery>,
) -> Result<Json<Statistics>, Problem> {
    if caller.companies.is_some() {
        let detail = "these are of all companies: ask for those of a webhook";
        return Err(Problem::new(Kind::Forbidden, detail));
    }
    counted(&api, ALL_WEBHOOKS, &query).await
}

/// Statistics of a webhook
#[utoipa::path(get, path = "/v1/webhooks/{id}/statistics", tag = "statistics",
    params(("id" = String, Path), StatisticsQuery),
    security(("token" = ["read"])), responses((status = 200, body = Statistics)))]
async fn of_webhook(
    May { caller, .. }: May<Read>,
    State(api): State<Shared>,
    Path(id): Path<String>,
    Query(query): Query<StatisticsQuery>,
) -> Result<Json<Statistics>, Problem> {
    let webhook = api.webhook(&caller, id::webhook(&id)?).await?;
    counted(&api, webhook.described.id, &query).await
}

async fn counted(api: &Api, of: WebhookId, query: &StatisticsQuery) -> Result<Json<Statistics>, Problem> {
    let (span, step) = query.read(Timestamp::now())?;
    let by = match step {
        StepName::Minute => Interval::Minute,
        StepName::Hour => Interval::Hour,
    };
    let points = api.store.history.statistics(of, span, by).await?;
    let mut total = Tally::default();
    points.iter().for_each(|point| total += &point.tally);
    let bar = |Point { at, tally }: &Point| Bar { at: *at, counts: tally.into() };
    let data = points.iter().map(bar).collect();
    Ok(Json(Statistics { since: span.since, until: span.until, step, total: (&total).into(), data }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(query: &str) -> Result<(i64, StepName), Problem> {
        let query: StatisticsQuery = serde_urlencoded::from_str(query).unwrap();
        let now = "2026-11-25T12:00:00Z".parse().unwrap();
        query.read(now).map(|(span, step)| (span.until.duration_since(span.since).as_mins(), step))
    }

    #[test]
    fn a_span_is_the_last_hour_by_the_minute_unless_told_otherwise() {
        assert_eq!(read("").unwrap(), (60, StepName::Minute));
        assert_eq!(read("since=2026-11-25T05:00:00Z").unwrap(), (420, StepName::Hour));
        assert_eq!(read("since=2026-11-25T05:00:00Z&step=minute").unwrap(), (420, StepName::Minute));
    }

    #[test]
    fn spans_without_end_or_sense_are_refused() {
        assert!(read("since=2026-11-25T12:00:00Z").is_err());
        assert!(read("since=2026-11-23T12:00:00Z&step=minute").is_err());
        assert!(read("since=2026-01-25T12:00:00Z").is_err());
    }
}
