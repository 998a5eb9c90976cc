//! What is wrong with TLS, in words.

use rustls::{AlertDescription, CertificateError, Error, PeerIncompatible};

pub(super) fn words(error: &Error) -> String {
    match error {
        Error::InvalidCertificate(error) => certificate(error).to_owned(),
        Error::NoCertificatesPresented => "it shows no certificate".to_owned(),
        Error::AlertReceived(alert) => self::alert(*alert),
        Error::InvalidMessage(_) | Error::PeerSentOversizedRecord | Error::InappropriateMessage { .. } => {
            "what it answers is not TLS: is its port one for https?".to_owned()
        }
        Error::PeerIncompatible(
            PeerIncompatible::ServerDoesNotSupportTls12Or13
            | PeerIncompatible::ServerTlsVersionIsDisabledByOurConfig,
        ) => "it offers no version of TLS from 1.2 on".to_owned(),
        Error::PeerIncompatible(_) => "it and Posthorn have no TLS parameters in common".to_owned(),
        Error::NoApplicationProtocol => "it offers neither HTTP/1.1 nor HTTP/2".to_owned(),
        _ => "it does not keep to the rules of TLS".to_owned(),
    }
}

fn certificate(error: &CertificateError) -> &'static str {
    match error {
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => "its certificate has expired",
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            "its certificate is not valid yet"
        }
        CertificateError::UnknownIssuer => "its certificate is not from an authority that is trusted here",
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            "its certificate is for other names than the one in the URL"
        }
        CertificateError::Revoked => "its certificate was revoked",
        CertificateError::InvalidPurpose | CertificateError::InvalidPurposeContext { .. } => {
            "its certificate is not one for servers"
        }
        _ => "its certificate is not valid",
    }
}

fn alert(alert: AlertDescription) -> String {
    use AlertDescription as Alert;
    let words = match alert {
        Alert::CertificateRequired | Alert::NoCertificate => {
            "it demands a client certificate, and Posthorn has none"
        }
        // In TLS 1.2 a receiver that wants a certificate says no more than that it does not go on.
        Alert::HandshakeFailure | Alert::BadCertificate | Alert::AccessDenied | Alert::UnknownCA => {
            "it refused the TLS handshake: it may demand a client certificate, or other TLS parameters"
        }
        Alert::ProtocolVersion => "it offers no version of TLS from 1.2 on",
        Alert::UnrecognisedName => "it does not know the name in the URL (TLS server name)",
        Alert::NoApplicationProtocol => "it offers neither HTTP/1.1 nor HTTP/2",
        Alert::InternalError => "it failed in the TLS handshake: internal error on its side",
        other => return format!("it broke TLS off with alert {}", u8::from(other)),
    };
    words.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_usual_faults_have_plain_words() {
        let of = |error: Error| words(&error);
        assert!(of(CertificateError::Expired.into()).contains("expired"));
        assert!(
            of(Error::AlertReceived(AlertDescription::CertificateRequired)).contains("client certificate")
        );
        assert!(of(PeerIncompatible::ServerDoesNotSupportTls12Or13.into()).contains("1.2"));
        assert_eq!(of(Error::AlertReceived(AlertDescription::DecodeError)), "it broke TLS off with alert 50");
    }
}
