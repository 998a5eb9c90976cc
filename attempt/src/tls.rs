//! TLS towards receivers.

use std::sync::Arc;

use rustls::{ClientConfig, RootCertStore};

/// TLS with roots that come with the binary, so that images need none, and those of the system besides,
/// for private authorities. It offers HTTP/2 before HTTP/1.1.
///
/// # Errors
/// If the cryptography cannot be prepared.
pub fn tls() -> Result<ClientConfig, rustls::Error> {
    let mut roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(config)
}

/// The same, for receivers that are to be spoken to in HTTP/1.1.
pub(crate) fn http1_only(config: &ClientConfig) -> ClientConfig {
    let mut config = config.clone();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    config
}
