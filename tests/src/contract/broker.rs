//! The contract of the broker: what Posthorn relies on, in its own words (`posthorn_broker`).
//!
//! An implementation says how it is started and killed ([`BrokerEngine`]); `broker_contract!` makes a test
//! of each promise. A new promise is a function here and its name in the macro.

pub mod confirms;
pub mod consuming;
pub mod delays;
pub mod durability;
mod engine;
pub mod journal;
pub mod limits;
pub mod order;
pub mod orphans;
pub mod redelivery;
mod seam;

pub use engine::BrokerEngine;
pub use seam::{Seam, bytes_of, headers, message};

/// Makes a test of each promise, for the implementation `$engine`.
#[macro_export]
macro_rules! broker_contract {
    ($engine:ty) => {
        $crate::broker_contract! { $engine,
            confirms {
                what_is_confirmed_is_in_its_queue
                two_thousand_in_flight_are_all_confirmed
                a_large_message_comes_whole
                what_no_queue_takes_is_never_confirmed
                a_session_that_has_ended_confirms_nothing
            }
            order {
                messages_of_one_publisher_come_in_their_order
                what_comes_back_comes_before_what_is_behind_it
            }
            redelivery {
                what_is_given_back_comes_again_with_its_headers
                what_a_lost_session_held_comes_again_and_counts
                what_is_finished_never_comes_again
                acknowledgements_of_finished_runs_leave_out_what_was_given_back
            }
            consuming {
                a_consumer_holds_no_more_than_its_prefetch
                consumers_of_one_channel_hold_each_its_own_number
                a_paused_webhook_keeps_its_deliveries
                a_consumer_learns_that_its_queue_is_gone
                a_webhook_whose_queue_is_missing_gets_one_when_it_is_consumed
                lengths_leave_out_what_somebody_holds
            }
            delays {
                a_retry_comes_after_its_delay_with_its_headers
                a_retry_may_be_delayed_again_and_again
                a_shorter_delay_waits_behind_no_longer_one
                a_delayed_batch_comes_to_the_dispatchers
            }
            orphans {
                a_delivery_without_a_queue_is_an_orphan_until_its_webhook_is_restored
                a_retry_that_finds_no_queue_is_an_orphan
                the_queue_of_a_deleted_webhook_is_removed
                webhooks_that_are_accepted_together_all_have_a_queue
            }
            limits {
                an_event_that_ends_session_after_session_goes_to_quarantine
                what_is_released_from_quarantine_is_tried_again
                a_delivery_may_come_back_more_often_than_brokers_allow_by_default
            }
            journal {
                entries_come_in_batches_that_lose_none
                what_follows_an_entry_happens_once_it_is_safe
                a_panic_in_what_follows_an_entry_ends_the_session
                own_events_are_told_from_those_of_services
            }
            durability {
                what_was_confirmed_survives_a_kill
            }
        }
    };
    ($engine:ty, $($area:ident { $($promise:ident)* })*) => {
        $(mod $area {
            use super::*;
            $(
                #[tokio::test]
                async fn $promise() {
                    $crate::contract::broker::$area::$promise::<$engine>().await;
                }
            )*
        })*
    };
}
