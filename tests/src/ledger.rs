//! The books of a load: what was confirmed to the publisher, what receivers saw, what Postgres holds.

use std::collections::{BTreeMap, BTreeSet};

use uuid::Uuid;

use crate::{
    App, Receiver, Request, Webhook, database::uuid_of, event, eventually_is, load::LOAD_TYPE, reference,
};

const LAST_TYPE: &str = "load.end";

/// Everything that takes part in a load: each webhook wants each event.
pub struct Ledger<'a> {
    /// The installation.
    pub app: &'a App,
    /// The receiver of all webhooks, which accepts everything.
    pub receiver: &'a Receiver,
    /// The webhooks, which differ in their path.
    pub webhooks: &'a [Webhook],
    /// The ids of the events that the broker confirmed.
    pub published: &'a [String],
}

/// How the books differ.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Verdict {
    /// Deliveries of confirmed events that no receiver has seen.
    pub lost: usize,
    /// Confirmed events that Postgres doesn't hold with all their webhooks.
    pub unrecorded_events: usize,
    /// Deliveries of confirmed events without an accepted attempt in Postgres.
    pub unrecorded_deliveries: usize,
    /// Requests beyond the first for a delivery.
    pub repeated: usize,
    /// Requests for an event that was not published, or to a path that is no webhook's.
    pub strange: usize,
}

impl Ledger<'_> {
    /// Waits until nothing is lost, expects that nothing is strange or badly signed, and returns how
    /// many requests were repeated.
    pub async fn settles(&self) -> usize {
        let mut repeated = 0;
        eventually_is("the ledger, repetitions aside", Verdict::default(), async || {
            let verdict = self.verdict().await;
            repeated = verdict.repeated;
            Verdict { repeated: 0, ..verdict }
        })
        .await;
        self.verify_signatures();
        repeated
    }

    /// Waits until nothing is lost and nothing is under way any more, and expects that nothing was
    /// repeated.
    pub async fn settles_exactly_once(&self) {
        self.settles().await;
        self.drains().await;
        assert_eq!(self.verdict().await, Verdict::default(), "{} published", self.published.len());
        let attempts = self.count_attempts("count(*)").await;
        assert_eq!(attempts, self.published.len() * self.webhooks.len(), "rows of attempts");
    }

    /// Publishes one more event and waits until it has gone all the way, behind everything else.
    pub async fn drains(&self) {
        let last = event(LAST_TYPE);
        self.app.publish(&last).await;
        self.receiver.receives_of(&last.id, self.webhooks.len()).await;
        eventually_is("what is under way", 0, async || {
            let mut left = self.receiver.pending() + self.app.waiting_batches().await as usize;
            for webhook in self.webhooks {
                let queue = self.app.broker.queue(&self.app.queue(webhook)).await;
                left += queue.map_or(0, |queue| queue.ready as usize);
            }
            left
        })
        .await;
    }

    /// How the books differ now.
    pub async fn verdict(&self) -> Verdict {
        let published: BTreeSet<_> = self.published.iter().map(String::as_str).collect();
        let paths: BTreeSet<_> = self.webhooks.iter().map(Webhook::path).collect();
        let mut verdict = Verdict::default();
        let mut seen = BTreeSet::new();
        for request in &self.requests() {
            let body = request.json();
            let reference = reference(body["company_id"].as_str().unwrap_or_default(), request.id());
            let is_ours = published.contains(request.id()) && request.webhook_id() == reference;
            if !paths.contains(request.path.as_str()) || !is_ours {
                verdict.strange += 1;
            } else if !seen.insert((request.path.clone(), request.id().to_owned())) {
                verdict.repeated += 1;
            }
        }
        let deliveries = published.len() * paths.len();
        verdict.lost = deliveries - seen.len();
        verdict.unrecorded_events = published.len() - self.count_events().await;
        let recorded = self.count_attempts("count(DISTINCT (event_ref, webhook_id))").await;
        verdict.unrecorded_deliveries = deliveries - recorded;
        verdict
    }

    fn requests(&self) -> Vec<Request> {
        let all = self.receiver.requests();
        all.into_iter().filter(|request| request.json()["type"] == LOAD_TYPE).collect()
    }

    fn verify_signatures(&self) {
        let secrets: BTreeMap<_, _> =
            self.webhooks.iter().map(|webhook| (webhook.path(), webhook.secret.as_str())).collect();
        for request in &self.requests() {
            assert!(request.is_signed_with(secrets[request.path.as_str()]), "badly signed: {request:?}");
        }
    }

    async fn count_events(&self) -> usize {
        let sql = "SELECT count(DISTINCT ref) FROM events WHERE id = ANY($1) AND webhook_ids @> $2";
        self.count(sql).await
    }

    async fn count_attempts(&self, what: &str) -> usize {
        let sql =
            "FROM attempts WHERE event_id = ANY($1) AND webhook_id = ANY($2) AND outcome::text = 'accepted'";
        self.count(&format!("SELECT {what} {sql}")).await
    }

    async fn count(&self, sql: &str) -> usize {
        let webhooks: Vec<Uuid> = self.webhooks.iter().map(|webhook| uuid_of(&webhook.id)).collect();
        let count = self.app.database.count(sql, &[&self.published, &webhooks]).await;
        usize::try_from(count).expect("a count is not negative")
    }
}
