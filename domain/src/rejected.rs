//! Messages that are no events: what people make of them.

use crate::words::words;

words! {
    /// What a person has made of a message that was rejected.
    Resolution, "a resolution of a rejected message":
    /// It was mended and published again.
    Published = "published",
    /// It is of no use.
    Discarded = "discarded",
}
