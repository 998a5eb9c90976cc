//! Which events a replay delivers again: decided without asking anybody.

use posthorn_domain::{delivery, event::Event, replay::Kind, webhook::State};
use posthorn_matching::{pattern::Steps, rule::Rule};
use posthorn_store::{Candidate, ReplayRecord, Version};

/// Chooses from the candidates, in order, as many as there is room for, and tells how many it has looked
/// at: fewer than there are also if matching them takes long.
pub(crate) fn choose<'a>(
    replay: &ReplayRecord,
    versions: &[Version],
    candidates: &'a [Candidate],
    room: usize,
    most_steps: u64,
) -> (Vec<&'a Candidate>, usize) {
    let (mut chosen, mut spent) = (Vec::new(), 0);
    for (place, candidate) in candidates.iter().enumerate() {
        if spent >= most_steps {
            return (chosen, place);
        }
        let steps = Steps::new(most_steps);
        let is_wanted = is_wanted(replay, versions, candidate, &steps);
        spent += steps.spent();
        if is_wanted {
            if chosen.len() == room {
                return (chosen, place);
            }
            chosen.push(candidate);
        }
    }
    (chosen, candidates.len())
}

fn is_wanted(replay: &ReplayRecord, versions: &[Version], candidate: &Candidate, steps: &Steps) -> bool {
    let asked = &replay.asked;
    let types = asked.event_types.as_ref();
    if types.is_some_and(|types| !types.iter().any(|pattern| pattern.matches(&candidate.event_type))) {
        return false;
    }
    if asked.companies.as_ref().is_some_and(|companies| !companies.contains(&candidate.company_id)) {
        return false;
    }
    match asked.kind {
        Kind::Failed => {
            candidate.is_routed && delivery::State::after(candidate.last_step) == delivery::State::Failed
        }
        Kind::Missed => is_missed(versions, candidate, steps),
        Kind::All => candidate.is_routed || is_missed(versions, candidate, steps),
    }
}

/// Whether the event matched while the webhook was paused or disabled. One that costs too much to match
/// would not have been routed.
fn is_missed(versions: &[Version], candidate: &Candidate, steps: &Steps) -> bool {
    let at = candidate.place.at;
    let then =
        versions.iter().find(|version| version.since <= at && version.until.is_none_or(|until| at < until));
    let was_off = |version: &&Version| matches!(version.state, State::Paused | State::Disabled);
    let Some(version) = then.filter(was_off).filter(|_| !candidate.is_routed) else { return false };
    let Some(message) = &candidate.message else { return false };
    let Ok(event) = Event::decode(message, usize::MAX) else { return false };
    Rule::any_matches(&version.rules, &event.received_at(at), steps).unwrap_or_else(|costly| {
        tracing::warn!(event.r#ref = %event.event_ref(), "a replay leaves an event out: {costly}");
        false
    })
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use jiff::Timestamp;
    use posthorn_domain::{
        id::{EventRef, WebhookId},
        replay,
        step::StepKind,
    };
    use posthorn_matching::{pattern::MOST_STEPS, rule::Limits};
    use posthorn_proto::v1;
    use posthorn_store::{NewReplay, Place};
    use prost::Message;
    use uuid::Uuid;

    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn replay(kind: Kind) -> ReplayRecord {
        ReplayRecord {
            asked: NewReplay {
                id: Uuid::nil(),
                webhook_id: WebhookId(Uuid::nil()),
                since: at(0),
                until: at(100),
                event_types: Some(vec!["todo.*".parse().unwrap()]),
                kind,
                dry_run: false,
                companies: None,
            },
            state: replay::State::Running,
            error: None,
            done: None,
            examined: 0,
            found: 0,
            published: 0,
            created_at: at(0),
            updated_at: at(0),
            finished_at: None,
        }
    }

    fn candidate(second: i64, is_routed: bool, last_step: Option<StepKind>) -> Candidate {
        let event = v1::Event {
            id: format!("e{second}"),
            r#type: "todo.created".to_owned(),
            data: Some(v1::event::Data::Json(Bytes::from_static(b"{}"))),
            ..v1::Event::default()
        };
        Candidate {
            place: Place { at: at(second), id: EventRef::new("", &event.id).0 },
            event_type: event.r#type.clone(),
            company_id: String::new(),
            message: Some(event.encode_to_vec().into()),
            is_routed,
            last_step,
        }
    }

    fn versions() -> Vec<Version> {
        let rules = Rule::read_list("[{}]", &Limits::default()).unwrap();
        let version = |since, until: Option<i64>, state| Version {
            since: at(since),
            until: until.map(at),
            state,
            rules: rules.clone(),
        };
        vec![
            version(0, Some(10), State::Enabled),
            version(10, Some(20), State::Paused),
            version(20, None, State::Enabled),
        ]
    }

    #[test]
    fn each_kind_finds_its_own() {
        let candidates = [
            candidate(5, true, Some(StepKind::Succeed)),
            candidate(6, true, Some(StepKind::GiveUp)),
            candidate(7, true, Some(StepKind::Retry)),
            candidate(8, false, None),
            candidate(12, false, None),
            candidate(25, false, None),
        ];
        let chosen = |kind| {
            let replay = replay(kind);
            let (chosen, examined) = choose(&replay, &versions(), &candidates, usize::MAX, MOST_STEPS);
            assert_eq!(examined, candidates.len());
            chosen.iter().map(|it| it.place.at.as_second()).collect::<Vec<_>>()
        };
        assert_eq!(chosen(Kind::Failed), [6]);
        assert_eq!(chosen(Kind::Missed), [12]);
        assert_eq!(chosen(Kind::All), [5, 6, 7, 12]);
    }

    #[test]
    fn what_finds_no_room_is_looked_at_again() {
        let candidates = [candidate(5, true, None), candidate(8, false, None), candidate(9, true, None)];
        let (chosen, examined) = choose(&replay(Kind::All), &versions(), &candidates, 1, MOST_STEPS);
        assert_eq!((chosen.len(), examined), (1, 2));
    }

    #[test]
    fn only_the_wanted_types_are_replayed() {
        let mut other = candidate(5, true, None);
        other.event_type = "comment.created".to_owned();
        assert!(!is_wanted(&replay(Kind::All), &versions(), &other, &Steps::default()));
    }
}
