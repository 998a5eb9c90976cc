//! When our own network is down, nobody is disabled, and whoever can still be reached gets everything.

use std::time::Duration;

use posthorn_tests::{
    App, Event, Gate, Process, Receiver, Reply, Request, Webhook, always, event, eventually, eventually_is,
    ids, lasts, metrics,
};
use tokio::net::TcpStream;

/// Longer than all retries of the schedule together.
const OUTAGE: Duration = Duration::from_secs(4);

/// Hosts of several companies, that can be unplugged.
struct Hosts {
    app: App,
    up: Vec<Receiver>,
    addresses: Vec<String>,
    webhooks: Vec<Webhook>,
}

impl Hosts {
    /// So many hosts with a webhook each, their companies in turn.
    async fn start(hosts: usize, companies: usize) -> Self {
        let app = App::with(&[("POSTHORN_ALLOW_NETWORKS", "127.0.0.0/8")]).await;
        let (mut up, mut addresses, mut webhooks) = (Vec::new(), Vec::new(), Vec::new());
        for number in 0..hosts {
            let receiver = Receiver::at(&format!("127.0.0.{}:0", number + 2), always(200)).await;
            let url = receiver.url("/");
            addresses.push(url.trim_start_matches("http://").trim_end_matches('/').to_owned());
            let company = format!("c{}", number % companies);
            webhooks.push(app.add_webhook(&url, &["--companies", &company, "--timeout", "2s"]).await);
            up.push(receiver);
        }
        Self { app, up, addresses, webhooks }
    }

    fn events(&self, companies: usize, each: usize) -> Vec<Event> {
        let company =
            |number| Event { company_id: format!("c{}", number % companies), ..event("todo.created") };
        (0..each * companies).map(company).collect()
    }

    /// Unplugs all but the first `left`, and waits until they are gone.
    async fn unplug(&mut self, left: usize) {
        self.up.truncate(left);
        for address in &self.addresses[left..] {
            let refuses = async || TcpStream::connect(address).await.is_err().then_some(());
            eventually("a host is unplugged", refuses).await;
        }
    }

    async fn plug_in(&mut self) {
        for address in &self.addresses[self.up.len()..] {
            self.up.push(Receiver::at(address, always(200)).await);
        }
    }

    async fn are_not_disabled(&self) {
        for webhook in &self.webhooks {
            assert_ne!(self.app.state(webhook).await, "disabled");
        }
    }
}

async fn is_outage(dispatcher: &mut Process) -> bool {
    metrics::parse(&dispatcher.page("/metrics").await.1)["posthorn_outage"] == 1.0
}

async fn outlasts_all_retries(dispatcher: &mut Process) {
    eventually("the dispatcher notices", async || is_outage(dispatcher).await.then_some(())).await;
    lasts(OUTAGE).await;
    assert!(is_outage(dispatcher).await, "it goes on as long as nobody is reached");
}

/// Unplugs all these hosts, plugs them in again, and expects that nothing was lost and nobody disabled.
async fn survives(hosts: usize, companies: usize, were_reached: bool) {
    let mut hosts = Hosts::start(hosts, companies).await;
    let mut roles = hosts.app.start().await;
    if were_reached {
        hosts.app.publish_all(&hosts.events(companies, 1)).await;
        for receiver in &hosts.up {
            receiver.receives(1).await;
        }
    }
    hosts.unplug(0).await;

    let events = hosts.events(companies, 5);
    hosts.app.publish_all(&events).await;
    outlasts_all_retries(&mut roles.dispatcher).await;
    hosts.plug_in().await;

    for (number, receiver) in hosts.up.iter().enumerate() {
        let own = events.iter().filter(|event| event.company_id == format!("c{}", number % companies));
        eventually_is("accepted", ids(own), async || receiver.accepted("/")).await;
    }
    assert!(!is_outage(&mut roles.dispatcher).await);
    hosts.are_not_disabled().await;
}

#[tokio::test]
async fn an_outage_of_ours_disables_nobody_and_everything_arrives_after_it() {
    survives(12, 3, true).await;
}

#[tokio::test]
async fn so_it_is_in_a_small_installation() {
    survives(2, 2, true).await;
}

#[tokio::test]
async fn so_it_is_where_all_webhooks_are_of_one_company() {
    survives(3, 1, true).await;
}

#[tokio::test]
async fn so_it_is_when_the_process_starts_during_the_outage() {
    survives(4, 2, false).await;
}

#[tokio::test]
async fn so_it_is_when_no_name_resolves() {
    let app = App::with(&[("POSTHORN_NAME_SERVERS", "127.0.0.1:1")]).await;
    let mut webhooks = Vec::new();
    for name in ["a", "b", "c"] {
        let url = format!("http://{name}.example.com/");
        webhooks.push(app.add_webhook(&url, &["--companies", name]).await);
    }
    let mut roles = app.start().await;
    for name in ["a", "b", "c"] {
        app.publish(&Event { company_id: name.to_owned(), ..event("todo.created") }).await;
    }
    outlasts_all_retries(&mut roles.dispatcher).await;
    for webhook in &webhooks {
        assert_ne!(app.state(webhook).await, "disabled");
    }
}

#[tokio::test]
async fn whoever_can_be_reached_during_the_outage_gets_everything() {
    let mut hosts = Hosts::start(5, 5).await;
    let mut roles = hosts.app.start().await;
    hosts.app.publish_all(&hosts.events(5, 1)).await;
    for receiver in &hosts.up {
        receiver.receives(1).await;
    }
    hosts.unplug(1).await;

    let events = hosts.events(5, 5);
    hosts.app.publish_all(&events).await;
    outlasts_all_retries(&mut roles.dispatcher).await;
    let more = hosts.events(5, 5);
    hosts.app.publish_all(&more).await;
    let reached = &hosts.up[0];
    eventually("all arrive inside our network", async || (reached.count() == 11).then_some(())).await;
    assert!(is_outage(&mut roles.dispatcher).await);
    hosts.plug_in().await;
    for receiver in &hosts.up[1..] {
        eventually("all arrive after it", async || (receiver.accepted("/").len() == 10).then_some(())).await;
    }
    hosts.are_not_disabled().await;
}

#[tokio::test]
async fn a_dispatcher_without_open_files_uses_up_no_attempts() {
    let app = App::with(&[("POSTHORN_RETRY_SCHEDULE", "300ms")]).await;
    let (held, few) = (Gate::closed(), 60);
    let gate = held.clone();
    let receiver = Receiver::start(move |_: &Request| Reply::status(200).when(&gate)).await;
    let webhook = app.add_webhook(&receiver.url("/"), &["--max-in-flight", "100", "--timeout", "30s"]).await;
    let _others = [app.start_role("router").await, app.start_role("recorder").await];
    let mut dispatcher = app.spawn_with_files(few, &["dispatcher"]);
    dispatcher.ready().await;

    let events: Vec<_> = (0..100).map(|_| event("todo.created")).collect();
    app.publish_all(&events).await;
    eventually("its files are used up", async || {
        let open = std::fs::read_dir(format!("/proc/{}/fd", dispatcher.id())).ok()?.count();
        (open as u32 >= few).then_some(())
    })
    .await;
    held.open();

    eventually_is("accepted", ids(&events), async || receiver.accepted("/")).await;
    eventually("all are recorded", async || {
        let attempts = app.database.attempts(&webhook).await;
        let accepted = attempts.iter().filter(|attempt| attempt.outcome == "accepted").count();
        assert!(attempts.iter().all(|attempt| attempt.attempt == 1), "{attempts:?}");
        let mut words = attempts.iter().filter_map(|attempt| attempt.error.as_deref());
        assert!(
            words.all(|words| words == "no connection: the sender is short of open files, ports or memory")
        );
        (accepted == events.len() && attempts.len() > accepted).then_some(())
    })
    .await;
    assert_ne!(app.state(&webhook).await, "disabled");
}
