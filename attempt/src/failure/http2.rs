//! What is wrong with HTTP/2, in words, and whether the request was processed.

use h2::{Error, Reason};
use posthorn_domain::outcome::UnreachableClass;

use super::Failure;

impl Failure {
    /// A request on an HTTP/2 connection failed.
    pub(crate) fn http2(error: &Error) -> Self {
        if let Some(error) = error.get_io() {
            // The library passes on no more of what TLS says than that it failed.
            let is_tls = error.kind() == std::io::ErrorKind::InvalidData;
            let words = "it broke TLS off behind the handshake: it may demand a client certificate";
            let failure = if is_tls { Self::new(UnreachableClass::Tls, words) } else { Self::broken(error) };
            return failure.on_kept();
        }
        let reason = error.reason().unwrap_or(Reason::INTERNAL_ERROR);
        let name = name(reason);
        if !error.is_remote() {
            let words = format!("what it answers is not correct HTTP/2 ({name})");
            return Self::new(UnreachableClass::InvalidReply, words);
        }
        if error.is_go_away() {
            let words = format!("it ended the HTTP/2 connection before it took the request ({name})");
            return Self::new(UnreachableClass::Reset, words).unprocessed();
        }
        let failure = Self::new(UnreachableClass::Reset, format!("it broke the request off ({name})"));
        if reason == Reason::REFUSED_STREAM { failure.unprocessed() } else { failure }
    }
}

/// As RFC 9113, 7, calls it.
fn name(reason: Reason) -> String {
    let known = match reason {
        Reason::NO_ERROR => "NO_ERROR",
        Reason::PROTOCOL_ERROR => "PROTOCOL_ERROR",
        Reason::INTERNAL_ERROR => "INTERNAL_ERROR",
        Reason::FLOW_CONTROL_ERROR => "FLOW_CONTROL_ERROR",
        Reason::SETTINGS_TIMEOUT => "SETTINGS_TIMEOUT",
        Reason::STREAM_CLOSED => "STREAM_CLOSED",
        Reason::FRAME_SIZE_ERROR => "FRAME_SIZE_ERROR",
        Reason::REFUSED_STREAM => "REFUSED_STREAM",
        Reason::CANCEL => "CANCEL",
        Reason::COMPRESSION_ERROR => "COMPRESSION_ERROR",
        Reason::CONNECT_ERROR => "CONNECT_ERROR",
        Reason::ENHANCE_YOUR_CALM => "ENHANCE_YOUR_CALM",
        Reason::INADEQUATE_SECURITY => "INADEQUATE_SECURITY",
        Reason::HTTP_1_1_REQUIRED => "HTTP_1_1_REQUIRED",
        other => return format!("error {}", u32::from(other)),
    };
    known.to_owned()
}

#[cfg(test)]
mod tests {
    use super::{super::Repeat, *};

    #[test]
    fn errors_of_our_own_side_are_wrong_answers() {
        let failure = Failure::http2(&Error::from(Reason::PROTOCOL_ERROR));
        assert_eq!((failure.class, failure.repeat), (UnreachableClass::InvalidReply, Repeat::Never));
        assert_eq!(failure.words, "what it answers is not correct HTTP/2 (PROTOCOL_ERROR)");
    }
}
