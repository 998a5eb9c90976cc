//! What keeps a part of a role from working, in words: shown by `/readyz`.

use std::sync::{Arc, Mutex, PoisonError};

/// A cell that is shared between a part and who asks after it.
#[derive(Debug, Clone, Default)]
pub struct Status(Arc<Mutex<Option<String>>>);

impl Status {
    /// A part that does not work yet, and why.
    pub fn starting(missing: impl Into<String>) -> Self {
        Self(Arc::new(Mutex::new(Some(missing.into()))))
    }

    /// Why it cannot work; `None` if it can.
    pub fn missing(&self) -> Option<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Sets why it cannot work now; `None` if it can.
    pub fn set(&self, missing: Option<String>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = missing;
    }
}
