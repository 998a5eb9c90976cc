//! The lists that are measured.

/// A GET and what it is called.
pub(super) struct List {
    pub(super) name: &'static str,
    pub(super) path: String,
}

const BUSY: &str = "whk_00000000000070008000000000000001";
const QUIET: &str = "whk_00000000000070008000000000000070";

/// All of them. `ago` answers the time so many days ago, `cursor` the cursor behind a list's first page.
pub(super) fn all(
    ago: impl Fn(u32) -> anyhow::Result<String>,
    cursor: impl Fn(&str) -> anyhow::Result<String>,
) -> anyhow::Result<Vec<List>> {
    let busy = format!("/v1/webhooks/{BUSY}/deliveries");
    let (events_page, busy_page) = (cursor("/v1/events")?, cursor(&busy)?);
    let (day, week, months) = (ago(1)?, ago(7)?, ago(60)?);
    let list = |name, path: &str| List { name, path: path.to_owned() };
    Ok(vec![
        list("events", "/v1/events?limit=50"),
        list("events, page 2", &format!("/v1/events?cursor={events_page}")),
        list("events of a company", "/v1/events?company=c7"),
        list("events of a type", "/v1/events?type=kind_3.*"),
        list("events of a rare type", "/v1/events?type=rare.kind"),
        list("events since a week, of a project", &format!("/v1/events?project=p9&since={week}")),
        list("one event with its deliveries", "/v1/events/evt-123456"),
        list("deliveries of a busy webhook", &format!("{busy}?limit=50")),
        list("deliveries of a busy webhook, page 2", &format!("{busy}?cursor={busy_page}")),
        list("deliveries of a busy webhook, 250 of a page", &format!("{busy}?limit=250")),
        list("deliveries of a busy webhook, refused", &format!("{busy}?outcome=refused")),
        list("deliveries of a busy webhook, none unreachable", &format!("{busy}?outcome=unreachable")),
        list("deliveries of a busy webhook, of a rare type", &format!("{busy}?event_type=rare.kind")),
        list("deliveries of a busy webhook since a week", &format!("{busy}?since={week}")),
        list("deliveries of a quiet webhook", &format!("/v1/webhooks/{QUIET}/deliveries")),
        list("one delivery with its attempts", &format!("/v1/deliveries/evt-123456/{BUSY}")),
        list("one webhook", &format!("/v1/webhooks/{BUSY}")),
        list("webhooks", "/v1/webhooks?limit=50"),
        list("webhooks of a company", "/v1/webhooks?company=c7"),
        list("rejected events", "/v1/rejected-events"),
        list("audit log", "/v1/audit-log"),
        list("event types, of 1,000", "/v1/event-types"),
        list("companies, of 10,000, with a text", "/v1/companies?q=company%2099"),
        list("projects, of 100,000, with a text", "/v1/projects?q=project%2099"),
        list("projects of a company", "/v1/projects?company=c77"),
        list("statistics of a webhook, an hour", &format!("/v1/webhooks/{BUSY}/statistics")),
        list("statistics of all, a day by the minute", &format!("/v1/statistics?step=minute&since={day}")),
        list("statistics of all, 60 days by the hour", &format!("/v1/statistics?since={months}")),
    ])
}
