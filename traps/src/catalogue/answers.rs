//! Answers that are odd in their bytes: data, in `answers.json`.

use serde::Deserialize;

use super::{Behaviour, Trap};
use crate::script::{Ending, Step};

const ANSWERS: &str = include_str!("../../answers.json");

#[derive(Deserialize)]
struct Answer {
    name: String,
    does: String,
    client: String,
    spec: String,
    /// Whether the connection ends after it.
    close: bool,
    /// Each character stands for a byte (Latin-1).
    response: String,
}

pub(super) fn traps() -> Vec<Trap> {
    let answers: Vec<Answer> = serde_json::from_str(ANSWERS).expect("a test reads it");
    answers.into_iter().map(Answer::trap).collect()
}

impl Answer {
    fn trap(self) -> Trap {
        let bytes: Vec<u8> = self.response.chars().map(|character| character as u8).collect();
        let mut script = vec![Step::ReadRequest, Step::Write(bytes.into())];
        if self.close {
            script.push(Step::End(Ending::Closed));
        }
        Trap {
            name: self.name.into(),
            does: format!("Answers {}.", self.does).into(),
            client: self.client.into(),
            spec: self.spec.into(),
            behaviour: Behaviour::Plain(script),
        }
    }
}
