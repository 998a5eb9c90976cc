//! Webhooks as people see them.

use crate::{
    client::{Answer, Listed},
    commands::show::{self, Column, column},
};

const COLUMNS: [Column; 6] = [
    column("id", "/id"),
    column("name", "/name"),
    column("url", "/url"),
    column("state", "/state"),
    column("why", "/disabled/reason"),
    Column { heading: "waiting", pointer: "/waiting", null: "?" },
];

/// One webhook, with its secret if it is told.
pub(super) fn print(json: bool, answer: &Answer) -> anyhow::Result<()> {
    show::one(json, answer, |webhook| {
        show::sheet(webhook, &[]);
        if webhook.get("secret").is_some() {
            println!("\nThe secret is shown only now: give it to whoever verifies the webhook's signatures.");
        }
    })
}

/// Many webhooks, a row each.
pub(super) fn print_all(json: bool, listed: &Listed) -> anyhow::Result<()> {
    let none = "There are no webhooks. Add one with: posthorn webhook add --url https://example.com/hook";
    show::many(json, listed, &COLUMNS, none)
}
