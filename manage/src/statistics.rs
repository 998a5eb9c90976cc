//! Statistics: how many events, attempts and failures, and how quick, of a webhook and of all.

use jiff::{SignedDuration, Timestamp};
use posthorn_domain::{
    id::WebhookId,
    statistics::{Latency, Tally},
};
use posthorn_store::{ALL_WEBHOOKS, Interval, Point, Span};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::{
    error::{Error, Kind, Wrong},
    ids,
    manage::Manage,
    moment::Moment,
    principal::{May, Read},
};

/// The most minutes or hours of an answer.
const MOST_POINTS: i64 = 1500;
/// Longer spans come by the hour unless minutes are asked for.
const LONGEST_BY_MINUTE: SignedDuration = SignedDuration::from_hours(6);

/// What happened in a span of time.
#[derive(Debug, Serialize, ToSchema)]
pub struct Statistics {
    /// When it begins.
    pub since: Timestamp,
    /// When it ends.
    pub until: Timestamp,
    /// `minute` or `hour`.
    pub step: StepName,
    /// All of it.
    pub total: Counts,
    /// The minutes or hours in which something happened, the oldest first.
    pub data: Vec<Bar>,
}

/// What happened in a minute or an hour.
#[derive(Debug, Serialize, ToSchema)]
pub struct Bar {
    /// When it began.
    pub at: Timestamp,
    /// What was counted.
    #[serde(flatten)]
    pub counts: Counts,
}

/// What was counted.
#[derive(Debug, Serialize, ToSchema)]
pub struct Counts {
    /// Events that the webhook wanted; of all webhooks: events that were routed.
    pub events: u64,
    /// Attempts that were accepted, each the end of a delivery.
    pub accepted: u64,
    /// Attempts that were refused.
    pub refused: u64,
    /// Attempts that met a 410.
    pub gone: u64,
    /// Attempts without an answer.
    pub unreachable: u64,
    /// Attempts that were interrupted again and again.
    pub interrupted: u64,
    /// Deliveries that failed for good.
    pub failed: u64,
    /// How long attempts took that were answered; null if there were none.
    pub latency_ms: Option<Percentiles>,
}

/// How long most take: wrong by a fifth at most.
#[derive(Debug, Serialize, ToSchema)]
pub struct Percentiles {
    /// What half of them do not exceed.
    pub p50: f64,
    /// What nine in ten do not exceed.
    pub p90: f64,
    /// What 95 in a hundred do not exceed.
    pub p95: f64,
    /// What 99 in a hundred do not exceed.
    pub p99: f64,
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
pub enum StepName {
    /// A minute. They are kept for three days unless set otherwise.
    Minute,
    /// An hour.
    Hour,
}

/// Which statistics are asked for.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(default, deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Asked {
    /// From when on; left out: an hour before `until`.
    #[param(value_type = Option<String>, format = DateTime)]
    pub since: Option<Moment>,
    /// Before when; left out: now.
    #[param(value_type = Option<String>, format = DateTime)]
    pub until: Option<Moment>,
    /// By the minute or by the hour, at most 1,500 of them; left out: minutes for up to six hours.
    #[param(inline)]
    pub step: Option<StepName>,
}

impl Asked {
    fn read(&self, now: Timestamp) -> Result<(Span, StepName), Error> {
        let wrong = |name: &str, code: &str, detail: String| {
            Error::parameters(vec![Wrong::parameter(name, code, detail)])
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

/// Statistics of all webhooks, for those who see all companies.
///
/// # Errors
/// If they are of such a span that there are none.
pub async fn of_all(manage: &Manage, by: &May<Read>, asked: Asked) -> Result<Statistics, Error> {
    if by.companies.is_some() {
        let detail = "these are of all companies: ask for those of a webhook";
        return Err(Error::new(Kind::Forbidden, detail));
    }
    counted(manage, ALL_WEBHOOKS, &asked).await
}

/// Statistics of a webhook.
///
/// # Errors
/// If they are of such a span that there are none, or there is no such webhook.
pub async fn of_webhook(
    manage: &Manage,
    by: &May<Read>,
    id: &str,
    asked: Asked,
) -> Result<Statistics, Error> {
    let webhook = manage.webhook(by, ids::webhook(id)?).await?;
    counted(manage, webhook.described.id, &asked).await
}

async fn counted(manage: &Manage, of: WebhookId, asked: &Asked) -> Result<Statistics, Error> {
    let (span, step) = asked.read(Timestamp::now())?;
    let by = match step {
        StepName::Minute => Interval::Minute,
        StepName::Hour => Interval::Hour,
    };
    let points = manage.store.history.statistics(of, span, by).await?;
    let mut total = Tally::default();
    points.iter().for_each(|point| total += &point.tally);
    let bar = |Point { at, tally }: &Point| Bar { at: *at, counts: tally.into() };
    let data = points.iter().map(bar).collect();
    Ok(Statistics { since: span.since, until: span.until, step, total: (&total).into(), data })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(query: &str) -> Result<(i64, StepName), Error> {
        let query: Asked = serde_urlencoded::from_str(query).unwrap();
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
