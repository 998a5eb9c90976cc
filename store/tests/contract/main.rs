//! The contract of the store: what any implementation must do for the roles that stand on it.
//!
//! Each test takes a fresh, empty installation and uses nothing but the public functions of
//! `posthorn-store`. [`contract!`] runs all of them for one implementation, which gives a constructor: today
//! that is PostgreSQL (`postgres`, which also holds what concerns it alone, such as its CHECKs). A second
//! implementation is a second line of `contract!`.
//!
//! The tests of PostgreSQL need `POSTHORN_DATABASE_URL`, as all tests on servers do: `make test` gives it.

mod changes;
mod fixtures;
mod installation;
mod paging;
mod postgres;
mod recording;
mod retention;
mod states;
mod taking_turns;
mod watching;

/// Runs the contract for the installations that a constructor makes.
macro_rules! contract {
    ($implementation:ident, $constructor:path: $($subject:ident { $($promise:ident),+ $(,)? })+) => {
        mod $implementation {
            $(mod $subject {
                $(#[tokio::test]
                async fn $promise() {
                    let installation = $constructor().await;
                    crate::$subject::$promise(&installation).await;
                    installation.remove().await;
                })+
            })+
        }
    };
}

contract! {
    on_postgresql, crate::postgres::fresh:
    recording {
        the_same_batch_twice_changes_nothing,
        an_event_that_is_routed_again_gains_the_webhooks_found_then,
        other_content_under_one_id_is_a_conflict_and_is_told_once,
        a_webhook_is_disabled_exactly_once_however_many_record_it,
        an_attempt_of_an_earlier_epoch_disables_nothing,
        a_webhook_that_accepts_something_is_not_disabled_if_its_policy_says_so,
        a_batch_is_recorded_as_a_whole_or_not_at_all,
        recorders_that_write_the_same_rows_wait_for_each_other,
        a_failing_webhook_is_told_of_once_and_again_when_it_has_recovered,
    }
    paging {
        pages_of_events_hold_each_once_the_latest_first,
        a_page_of_deliveries_shows_each_by_its_latest_attempt,
        webhooks_and_tokens_come_in_pages_the_oldest_first,
        the_audit_log_comes_in_pages_the_latest_first,
    }
    retention {
        what_is_older_than_the_retention_goes_and_nothing_else,
        minutes_that_become_hours_count_the_same,
        the_bytes_of_rejected_messages_are_bounded_and_their_rows_stay,
        a_deleted_webhook_is_forgotten_after_its_grace,
    }
    changes {
        every_change_is_in_the_audit_log_with_who_made_it,
        the_audit_log_holds_no_secret,
        a_version_is_kept_of_what_decides_which_events_a_webhook_gets,
        disabling_and_enabling_are_told_of_and_numbered_for_each_webhook,
        a_change_from_an_older_look_is_refused,
        a_quota_holds_however_many_ask_at_once,
        what_is_seen_joins_the_catalogue_up_to_its_bound,
    }
    taking_turns {
        one_janitor_works_at_a_time,
        a_notification_is_given_to_one_and_stays_until_it_is_told,
        a_mail_is_given_to_one_and_stays_until_it_is_sent,
        a_replay_is_claimed_by_one_and_a_canceled_one_stays_so,
        a_request_of_one_key_runs_once,
        what_is_promised_is_noted_and_is_its_makers_at_first,
    }
    watching {
        whoever_watches_learns_of_all_webhooks_and_of_every_change,
        whoever_watches_learns_of_tokens_and_schemas,
    }
    states {
        a_webhook_goes_from_state_to_state_as_the_diagram_says,
    }
}
