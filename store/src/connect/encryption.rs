//! Whether a connection is encrypted, and whether the server's certificate is verified: as libpq does
//! it for the same words.

use std::{path::Path, str::FromStr, sync::Arc};

use rustls::{
    ClientConfig,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
};
use tokio_postgres::config::SslMode;
use tokio_postgres_rustls::MakeRustlsConnect;

use super::{
    trust::{Trust, Verify},
    words::Words,
};
use crate::error::StoreError;

/// The protocol that PostgreSQL's servers expect where TLS comes first (`sslnegotiation=direct`).
const PROTOCOL: &[u8] = b"postgresql";

/// How to connect.
#[derive(Clone)]
pub(super) struct Encryption {
    /// What is tried.
    pub(super) first: SslMode,
    /// What is tried then, if the server does not take the first: never less than was required.
    pub(super) then: Option<SslMode>,
    pub(super) tls: MakeRustlsConnect,
}

/// The word `sslmode`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    Disable,
    Allow,
    Prefer,
    Require,
    VerifyCa,
    VerifyFull,
}

impl Encryption {
    /// As these words want it.
    pub(super) fn of(words: &Words) -> Result<Self, StoreError> {
        let from_system = words.get("sslrootcert") == Some("system");
        let mode = match words.get("sslmode") {
            Some(mode) => mode.parse().map_err(StoreError::BadUrl)?,
            None if from_system => Mode::VerifyFull,
            None => Mode::Prefer,
        };
        if from_system && mode != Mode::VerifyFull {
            let problem = "sslrootcert=system goes only with sslmode=verify-full".to_owned();
            return Err(StoreError::BadUrl(problem));
        }
        let verify = mode.verify(words.get("sslrootcert").is_some());
        let (first, then) = mode.tries();
        Ok(Self { first, then, tls: MakeRustlsConnect::new(client(words, verify)?) })
    }

    /// The same for servers that are all reached by sockets of this machine, which are never encrypted.
    pub(super) fn on_sockets(self) -> Self {
        Self { first: SslMode::Disable, then: None, ..self }
    }
}

impl Mode {
    fn tries(self) -> (SslMode, Option<SslMode>) {
        match self {
            Self::Disable => (SslMode::Disable, None),
            Self::Allow => (SslMode::Disable, Some(SslMode::Require)),
            Self::Prefer => (SslMode::Prefer, Some(SslMode::Disable)),
            Self::Require | Self::VerifyCa | Self::VerifyFull => (SslMode::Require, None),
        }
    }

    fn verify(self, with_authorities: bool) -> Verify {
        match self {
            Self::Disable | Self::Allow | Self::Prefer => Verify::Nothing,
            Self::Require if !with_authorities => Verify::Nothing,
            Self::Require | Self::VerifyCa => Verify::Authority,
            Self::VerifyFull => Verify::Name,
        }
    }
}

impl FromStr for Mode {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "disable" => Ok(Self::Disable),
            "allow" => Ok(Self::Allow),
            "prefer" => Ok(Self::Prefer),
            "require" => Ok(Self::Require),
            "verify-ca" => Ok(Self::VerifyCa),
            "verify-full" => Ok(Self::VerifyFull),
            other => Err(format!(
                "sslmode={other} is none of disable, allow, prefer, require, verify-ca, verify-full"
            )),
        }
    }
}

fn client(words: &Words, verify: Verify) -> Result<ClientConfig, StoreError> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let algorithms = provider.signature_verification_algorithms;
    let authorities = if verify == Verify::Nothing { Vec::new() } else { authorities(words)? };
    let tls = |error: rustls::Error| StoreError::Tls(error.to_string());
    let client = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(tls)?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Trust::new(verify, authorities, algorithms)));
    let mut client = match (words.get("sslcert"), words.get("sslkey")) {
        (Some(certificate), Some(key)) => {
            client.with_client_auth_cert(certificates(certificate)?, private_key(key)?).map_err(tls)?
        }
        (None, None) => client.with_no_client_auth(),
        (_, _) => return Err(StoreError::BadUrl("sslcert and sslkey go together".to_owned())),
    };
    client.alpn_protocols = vec![PROTOCOL.to_vec()];
    Ok(client)
}

/// Those in the file that is named, or else those of the system.
fn authorities(words: &Words) -> Result<Vec<CertificateDer<'static>>, StoreError> {
    match words.get("sslrootcert") {
        None | Some("system") => Ok(rustls_native_certs::load_native_certs().certs),
        Some(file) => certificates(file),
    }
}

fn certificates(file: &str) -> Result<Vec<CertificateDer<'static>>, StoreError> {
    let read =
        CertificateDer::pem_file_iter(Path::new(file)).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    match read {
        Ok(certificates) if !certificates.is_empty() => Ok(certificates),
        Ok(_) => Err(StoreError::Tls(format!("{file} holds no certificate"))),
        Err(error) => Err(StoreError::Tls(format!("cannot read certificates from {file}: {error}"))),
    }
}

fn private_key(file: &str) -> Result<PrivateKeyDer<'static>, StoreError> {
    let read = PrivateKeyDer::from_pem_file(Path::new(file));
    read.map_err(|error| StoreError::Tls(format!("cannot read a private key from {file}: {error}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(url: &str) -> Result<(SslMode, Option<SslMode>), String> {
        let encryption = Encryption::of(&Words::of(url)).map_err(|error| error.to_string())?;
        Ok((encryption.first, encryption.then))
    }

    #[test]
    fn encryption_is_never_given_up_where_it_is_required() {
        assert_eq!(read("postgres://h/d"), Ok((SslMode::Prefer, Some(SslMode::Disable))));
        assert_eq!(read("postgres://h/d?sslmode=disable"), Ok((SslMode::Disable, None)));
        assert_eq!(read("postgres://h/d?sslmode=allow"), Ok((SslMode::Disable, Some(SslMode::Require))));
        for mode in ["require", "verify-ca", "verify-full"] {
            let url = format!("postgres://h/d?sslmode={mode}");
            assert_eq!(read(&url), Ok((SslMode::Require, None)), "{mode}");
        }
        assert_eq!(read("postgres://h/d?sslrootcert=system"), Ok((SslMode::Require, None)));
    }

    #[test]
    fn certificates_are_verified_as_far_as_the_words_ask_for_it() {
        assert_eq!(Mode::Prefer.verify(true), Verify::Nothing);
        assert_eq!(Mode::Require.verify(false), Verify::Nothing);
        assert_eq!(Mode::Require.verify(true), Verify::Authority);
        assert_eq!(Mode::VerifyCa.verify(false), Verify::Authority);
        assert_eq!(Mode::VerifyFull.verify(true), Verify::Name);
    }

    #[test]
    fn what_cannot_be_done_is_said() {
        let problem = |words| read(&format!("postgres://h/d?{words}")).unwrap_err();
        assert!(problem("sslmode=verify").contains("sslmode=verify is none of"));
        assert!(problem("sslmode=require&sslrootcert=system").contains("verify-full"));
        assert!(problem("sslmode=verify-ca&sslrootcert=/no-such-file").contains("/no-such-file"));
        assert!(problem("sslcert=/a").contains("go together"));
    }
}
