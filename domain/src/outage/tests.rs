use super::*;

const SECOND: Duration = Duration::from_secs(1);

/// What is seen in one story, and its clock.
struct Story {
    seen: Reachability,
    now: Instant,
}

fn company(name: &str) -> Tenant {
    Tenant::Company(name.into())
}

impl Story {
    #[expect(clippy::disallowed_methods, reason = "the test begins at some time")]
    fn new() -> Self {
        Self { seen: Reachability::default(), now: Instant::now() }
    }

    /// Attempts at these `host company`, a second apart.
    fn attempts(&mut self, reach: Reach, hosts: &[&str]) -> &mut Self {
        for host in hosts {
            let (host, name) = host.split_once(' ').unwrap();
            self.seen.note(&host.into(), &company(name), reach, self.now);
            self.now += SECOND / 10;
        }
        self
    }

    fn reached(&mut self, hosts: &[&str]) -> &mut Self {
        self.attempts(Reach::Reached, hosts)
    }

    fn unreached(&mut self, hosts: &[&str]) -> &mut Self {
        self.attempts(Reach::Unreached, hosts)
    }

    fn later(&mut self, duration: Duration) -> &mut Self {
        self.now += duration;
        self
    }

    /// Decides in an installation of so many tenants.
    fn concludes(&mut self, tenants: usize) -> Phase {
        self.seen.conclude(tenants, self.now);
        self.seen.phase()
    }

    fn phase(&self) -> Phase {
        self.seen.phase()
    }
}

/// Hosts and tenants as `host tenant`.
struct Case {
    about: &'static str,
    reached_before: &'static [&'static str],
    lost: &'static [&'static str],
    reached_after: &'static [&'static str],
    tenants: usize,
    phase: Phase,
}

const CASES: [Case; 8] = [
    Case {
        about: "a small installation of two companies, all of it",
        reached_before: &["h1 a", "h2 b"],
        lost: &["h1 a", "h2 b"],
        reached_after: &[],
        tenants: 2,
        phase: Phase::Outage,
    },
    Case {
        about: "the same of one company, which is all there is",
        reached_before: &["h1 a", "h2 a"],
        lost: &["h1 a", "h2 a"],
        reached_after: &[],
        tenants: 1,
        phase: Phase::Outage,
    },
    Case {
        about: "nothing was ever reached: the process began during the outage",
        reached_before: &[],
        lost: &["h1 a", "h2 b", "h3 c"],
        reached_after: &[],
        tenants: 3,
        phase: Phase::Outage,
    },
    Case {
        about: "dead for long, while others are reached",
        reached_before: &[],
        lost: &["h1 a", "h2 b", "h3 c"],
        reached_after: &["h4 d"],
        tenants: 4,
        phase: Phase::Calm,
    },
    Case {
        about: "many hosts of one company among others, in quiet traffic",
        reached_before: &["h1 a", "h2 a", "h3 a", "h4 a", "h5 a", "h6 a"],
        lost: &["h1 a", "h2 a", "h3 a", "h4 a", "h5 a", "h6 a"],
        reached_after: &[],
        tenants: 2,
        phase: Phase::Calm,
    },
    Case {
        about: "one of many hosts, with webhooks of many companies",
        reached_before: &["h1 a", "h1 b", "h1 c"],
        lost: &["h1 a", "h1 b", "h1 c"],
        reached_after: &[],
        tenants: 3,
        phase: Phase::Calm,
    },
    Case {
        about: "two companies fail, two are reached",
        reached_before: &["h1 a", "h2 b", "h3 c", "h4 d"],
        lost: &["h1 a", "h2 b", "h5 a"],
        reached_after: &["h3 c", "h4 d"],
        tenants: 4,
        phase: Phase::Calm,
    },
    Case {
        about: "the way out is cut, a host inside our network is reached",
        reached_before: &["h1 a", "h2 b", "h3 c", "h4 d", "inside e"],
        lost: &["h1 a", "h2 b", "h3 c", "h4 d"],
        reached_after: &["inside e"],
        tenants: 5,
        phase: Phase::Outage,
    },
];

#[test]
fn what_is_an_outage_and_what_is_not() {
    for Case { about, reached_before, lost, reached_after, tenants, phase } in CASES {
        let mut story = Story::new();
        story.reached(reached_before).later(2 * WINDOW).unreached(lost).reached(reached_after);
        assert_eq!(story.concludes(tenants), phase, "{about}");
    }
}

#[test]
fn only_lost_hosts_are_held_and_only_while_the_outage_lasts() {
    let mut story = Story::new();
    story.reached(&["h1 a", "h2 b", "h3 c"]).later(2 * WINDOW).unreached(&["h1 a", "h2 b"]);
    assert_eq!(story.phase(), Phase::Suspected);
    assert!(story.seen.holds("h1") && !story.seen.holds("h3"));
    assert_eq!(story.concludes(3), Phase::Outage);
    let now = story.now;
    let mut note = |host: &str, reach| story.seen.note(&host.into(), &company("c"), reach, now);
    assert!(note("h3", Reach::Unreached), "it fails during an outage, which is our fault");
    assert!(note("h3", Reach::Unclear), "so is what cannot be told");
    assert!(!note("h4", Reach::Unclear), "it has not lost");
    assert!(note("h4", Reach::LocalFault), "our fault at any time");
    story.reached(&["h2 b"]);
    assert_eq!(story.phase(), Phase::Calm, "one that had lost is reached again");
    assert!(!story.seen.holds("h1"));
}

#[test]
fn a_suspicion_that_probes_refute_is_not_raised_again_at_once() {
    let mut story = Story::new();
    let hosts = ["h1 a", "h2 a", "h3 a"];
    story.reached(&hosts).later(2 * WINDOW).unreached(&hosts).reached(&["h9 b"]);
    assert_eq!(story.concludes(2), Phase::Calm);
    assert_eq!(story.unreached(&hosts).phase(), Phase::Calm);
    assert_eq!(story.later(TRUCE).unreached(&hosts).phase(), Phase::Suspected, "what lost still counts");
    assert_eq!(story.concludes(2), Phase::Calm);
    assert_eq!(story.later(WINDOW).unreached(&hosts).phase(), Phase::Calm, "they have not lost again");
}

#[test]
fn hosts_lost_one_after_the_other_over_a_long_time_are_no_outage() {
    let mut story = Story::new();
    story.reached(&["h1 a", "h2 b", "h3 c"]);
    for host in ["h1 a", "h2 b", "h3 c"] {
        story.later(2 * WINDOW).unreached(&[host]);
        assert_eq!(story.phase(), Phase::Calm);
    }
}

#[test]
fn others_that_are_reached_end_an_outage_too() {
    let mut story = Story::new();
    let hosts = ["h1 a", "h2 b", "h3 c", "h4 d"];
    story.reached(&hosts).later(2 * WINDOW).unreached(&["h1 a", "h2 b", "h3 c"]);
    assert_eq!(story.concludes(9), Phase::Outage);
    assert_eq!(story.reached(&["h4 d"]).phase(), Phase::Outage, "one may be inside our network");
    assert_eq!(story.reached(&["h5 e"]).phase(), Phase::Calm);
}

#[test]
fn probes_go_to_other_tenants_first_and_then_round() {
    let mut story = Story::new();
    story.reached(&["h1 a", "h2 a", "h3 b", "h4 c"]).later(2 * WINDOW).unreached(&["h1 a", "h2 a"]);
    let candidates = || {
        ["h1 a", "h1 a", "h2 a", "h3 b", "h4 c"].map(|host| {
            let (host, name) = host.split_once(' ').unwrap();
            Candidate { host: host.into(), tenant: company(name), with: () }
        })
    };
    let mut chosen = |most| {
        story.now += SECOND;
        let chosen = story.seen.choose(candidates().into(), most, story.now);
        chosen.iter().map(|candidate| candidate.host.to_string()).collect::<Vec<_>>()
    };
    assert_eq!(chosen(3), ["h3", "h4", "h1"]);
    assert_eq!(chosen(3), ["h3", "h4", "h2"], "each host once, the longest unprobed first");
}

#[test]
fn memory_is_bounded() {
    let mut story = Story::new();
    for number in 0..MOST_HOSTS + 5 {
        story.seen.note(&format!("h{number}").into(), &company("a"), Reach::Reached, story.now);
        story.now += Duration::from_millis(1);
    }
    assert_eq!(story.seen.hosts.len(), MOST_HOSTS);
    assert!(!story.seen.hosts.contains_key("h0"));
    for number in 0..20 {
        let tenant = company(&number.to_string());
        story.seen.note(&"h9".into(), &tenant, Reach::Reached, story.now);
    }
    assert!(story.seen.hosts["h9"].tenants.len() <= MOST_TENANTS);
}

#[test]
fn only_resolving_and_connecting_tell_about_the_network() {
    let unreachable = |class| Outcome::Unreachable { class, error: String::new() };
    let cases = [
        (UnreachableClass::Dns, Link::Kept, Reach::Unreached),
        (UnreachableClass::Connect, Link::Unmade, Reach::Unreached),
        (UnreachableClass::Timeout, Link::Unmade, Reach::Unreached),
        (UnreachableClass::Timeout, Link::Made, Reach::Reached),
        (UnreachableClass::Timeout, Link::Kept, Reach::Unclear),
        (UnreachableClass::Reset, Link::Made, Reach::Reached),
        (UnreachableClass::Reset, Link::Kept, Reach::Unclear),
        (UnreachableClass::Tls, Link::Made, Reach::Reached),
        (UnreachableClass::Connect, Link::Made, Reach::Reached),
        (UnreachableClass::InvalidReply, Link::Kept, Reach::Reached),
        (UnreachableClass::Blocked, Link::Unmade, Reach::Unclear),
    ];
    for (class, link, reach) in cases {
        assert_eq!(Reach::of(&unreachable(class), link, false), reach, "{class:?} {link:?}");
    }
    assert_eq!(Reach::of(&unreachable(UnreachableClass::Connect), Link::Unmade, true), Reach::LocalFault);
    assert_eq!(
        Reach::of(&Outcome::Refused { status: 503, retry_after: None }, Link::Kept, false),
        Reach::Reached
    );
}
