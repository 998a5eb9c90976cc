//! Which certificates of a server are trusted.

use std::{fmt, io, sync::Arc};

use rustls::{
    CertificateError, DigitallySignedStruct, Error, OtherError, RootCertStore, SignatureScheme,
    client::{
        danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
        verify_server_cert_signed_by_trust_anchor, verify_server_name,
    },
    crypto::{WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature},
    pki_types::{CertificateDer, ServerName, UnixTime},
    server::ParsedCertificate,
};

/// What of a certificate is verified.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verify {
    /// Nothing: who listens in on the line reads nothing, who sits on it reads everything.
    Nothing,
    /// Who signed it.
    Authority,
    /// That, and that it was given to the server's name.
    Name,
}

/// Trusts what is signed by authorities.
#[derive(Debug)]
pub(super) struct Trust {
    verify: Verify,
    authorities: Vec<CertificateDer<'static>>,
    roots: RootCertStore,
    algorithms: WebPkiSupportedAlgorithms,
}

/// Why a certificate is not trusted, in words.
#[derive(Debug, Clone)]
pub(crate) struct NotTrusted(String);

impl Trust {
    pub(super) fn new(
        verify: Verify,
        authorities: Vec<CertificateDer<'static>>,
        algorithms: WebPkiSupportedAlgorithms,
    ) -> Self {
        let roots = roots(&authorities);
        Self { verify, authorities, roots, algorithms }
    }

    fn check_authority(
        &self,
        given: &CertificateDer<'_>,
        parsed: &ParsedCertificate<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<(), Error> {
        let algorithms = self.algorithms.all;
        match verify_server_cert_signed_by_trust_anchor(parsed, &self.roots, intermediates, now, algorithms) {
            // A server that signed its certificate itself often says that it is an authority.
            Err(Error::InvalidCertificate(CertificateError::Other(_)))
                if self.authorities.contains(given) =>
            {
                Ok(())
            }
            Err(error) => Err(in_words(error, "is not signed by an authority that is trusted (sslrootcert)")),
            Ok(()) => Ok(()),
        }
    }
}

/// The certificates that can be read among these.
fn roots(certificates: &[CertificateDer<'static>]) -> RootCertStore {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(certificates.iter().cloned());
    roots
}

impl ServerCertVerifier for Trust {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        if self.verify == Verify::Nothing {
            return Ok(ServerCertVerified::assertion());
        }
        let parsed = ParsedCertificate::try_from(end_entity)?;
        self.check_authority(end_entity, &parsed, intermediates, now)?;
        if self.verify == Verify::Name {
            let words = format!("is not for the name {}", server_name.to_str());
            verify_server_name(&parsed, server_name).map_err(|error| in_words(error, &words))?;
        }
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        match self.verify {
            Verify::Nothing => Ok(HandshakeSignatureValid::assertion()),
            Verify::Authority | Verify::Name => verify_tls12_signature(message, cert, dss, &self.algorithms),
        }
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        match self.verify {
            Verify::Nothing => Ok(HandshakeSignatureValid::assertion()),
            Verify::Authority | Verify::Name => verify_tls13_signature(message, cert, dss, &self.algorithms),
        }
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}

fn in_words(error: Error, problem: &str) -> Error {
    let problem = match error {
        Error::InvalidCertificate(
            CertificateError::UnknownIssuer
            | CertificateError::Other(_) // such as: it says that it is an authority itself
            | CertificateError::NotValidForName
            | CertificateError::NotValidForNameContext { .. },
        ) => problem.to_owned(),
        Error::InvalidCertificate(
            CertificateError::Expired
            | CertificateError::ExpiredContext { .. }
            | CertificateError::NotValidYet
            | CertificateError::NotValidYetContext { .. },
        ) => "has expired, or is not valid yet".to_owned(),
        other => return other,
    };
    Error::Other(OtherError(Arc::new(NotTrusted(problem))))
}

/// What a failed connection says of the server's certificate, if that was the reason.
pub(crate) fn not_trusted<'a>(error: &'a (dyn std::error::Error + 'static)) -> Option<&'a NotTrusted> {
    of_tls(error).and_then(|error| match error {
        Error::Other(OtherError(error)) => error.downcast_ref(),
        _ => None,
    })
}

/// The error of TLS that is behind a failed connection, if one is.
pub(super) fn of_tls<'a>(error: &'a (dyn std::error::Error + 'static)) -> Option<&'a Error> {
    // The source of an I/O error is that of the error which it wraps, not that error itself.
    let wrapped = |error: &'a (dyn std::error::Error + 'static)| {
        let inner = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        inner.map_or_else(|| error.source(), |inner| Some(inner as &(dyn std::error::Error + 'static)))
    };
    std::iter::successors(Some(error), |&error| wrapped(error)).find_map(|error| error.downcast_ref())
}

impl fmt::Display for NotTrusted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the server's certificate {}", self.0)
    }
}

impl std::error::Error for NotTrusted {}
