//! Signatures per Standard Webhooks 1.0.0, symmetric scheme `v1`: HMAC-SHA256 over
//! `{webhook-id}.{webhook-timestamp}.{body}`.

use std::fmt;

use base64::{Engine, engine::general_purpose::STANDARD};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

const PREFIX: &str = "whsec_";

/// How far a receiver lets a timestamp be off, in seconds (Standard Webhooks libraries: 5 minutes).
pub const TOLERANCE_SECONDS: i64 = 300;

/// A signing secret: 24 to 64 bytes, written `whsec_` and base64. Its `Debug` does not show it.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Vec<u8>);

/// A text that is no signing secret.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("a signing secret is whsec_ and the base64 of 24 to 64 bytes")]
pub struct BadSecret;

impl Secret {
    /// A secret of 32 bytes, which must be random.
    pub fn new(random: [u8; 32]) -> Self {
        Self(random.to_vec())
    }

    /// Reads `whsec_…`; the prefix may be missing.
    ///
    /// # Errors
    /// If it isn't base64 of 24 to 64 bytes.
    pub fn parse(text: &str) -> Result<Self, BadSecret> {
        let bytes = STANDARD.decode(text.strip_prefix(PREFIX).unwrap_or(text)).map_err(|_| BadSecret)?;
        Self::from_bytes(bytes)
    }

    /// A secret of these bytes.
    ///
    /// # Errors
    /// If there are not 24 to 64 of them.
    pub fn from_bytes(bytes: Vec<u8>) -> Result<Self, BadSecret> {
        if (24..=64).contains(&bytes.len()) { Ok(Self(bytes)) } else { Err(BadSecret) }
    }

    /// The secret as its owner sees it: `whsec_…`.
    pub fn reveal(&self) -> String {
        format!("{PREFIX}{}", STANDARD.encode(&self.0))
    }

    /// The bytes themselves.
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// One entry of a `webhook-signature` header: `v1,` and base64. `timestamp` is in Unix seconds.
    pub fn sign(&self, id: &str, timestamp: i64, body: &[u8]) -> String {
        let code = self.code(id, timestamp, body).finalize().into_bytes();
        format!("v1,{}", STANDARD.encode(code))
    }

    /// Whether one of the space-separated signatures is ours. Takes the same time for all.
    pub fn verifies(&self, id: &str, timestamp: i64, body: &[u8], signatures: &str) -> bool {
        let code = self.code(id, timestamp, body);
        signatures
            .split(' ')
            .filter_map(|signature| STANDARD.decode(signature.strip_prefix("v1,")?).ok())
            .any(|signature| code.clone().verify_slice(&signature).is_ok())
    }

    fn code(&self, id: &str, timestamp: i64, body: &[u8]) -> Hmac<Sha256> {
        let mut code = Hmac::<Sha256>::new_from_slice(&self.0).expect("HMAC takes keys of any length");
        code.update(format!("{id}.{timestamp}.").as_bytes());
        code.update(body);
        code
    }
}

/// The value of the `webhook-signature` header: a signature for each live secret.
pub fn header<'a>(
    secrets: impl IntoIterator<Item = &'a Secret>,
    id: &str,
    timestamp: i64,
    body: &[u8],
) -> String {
    let signatures: Vec<_> = secrets.into_iter().map(|secret| secret.sign(id, timestamp, body)).collect();
    signatures.join(" ")
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "msg_p5jXN8AQM9LWM0D4loKWxJek";
    const BODY: &[u8] = b"{\"test\": 2432232314}";
    const SIGNATURE: &str = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";

    fn secret() -> Secret {
        Secret::parse("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap()
    }

    #[test]
    fn signatures_are_those_of_the_published_vectors() {
        assert_eq!(secret().sign(ID, 1_614_265_330, BODY), SIGNATURE);
        let other = Secret::parse("whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD").unwrap();
        let body = br#"{"email":"test@example.com","username":"test_user"}"#;
        let signature = other.sign("msg_27UH4WbU6Z5A5EzD8u03UvzRbpk", 1_649_367_553, body);
        assert_eq!(signature, "v1,tZ1I4/hDygAJgO5TYxiSd6Sd0kDW6hPenDe+bTa3Kkw=");
    }

    #[test]
    fn one_good_signature_among_others_verifies_and_a_part_of_one_does_not() {
        let verifies = |signatures: &str| secret().verifies(ID, 1_614_265_330, BODY, signatures);
        assert!(verifies(SIGNATURE));
        assert!(verifies(&format!("v1,AAAA v1a,x {SIGNATURE}")));
        assert!(!verifies(&SIGNATURE[..20]));
        assert!(!verifies("v1,"));
        assert!(!verifies(""));
        assert!(!secret().verifies(ID, 1_614_265_331, BODY, SIGNATURE));
        assert!(!secret().verifies(ID, 1_614_265_330, b"{}", SIGNATURE));
    }

    #[test]
    fn every_live_secret_signs() {
        let other = Secret::new([7; 32]);
        let value = header([&secret(), &other], ID, 1_614_265_330, BODY);
        assert!(secret().verifies(ID, 1_614_265_330, BODY, &value));
        assert!(other.verifies(ID, 1_614_265_330, BODY, &value));
    }

    #[test]
    fn secrets_read_back_and_stay_out_of_debug_output() {
        let text = secret().reveal();
        assert_eq!(Secret::parse(&text), Ok(secret()));
        assert_eq!(format!("{:?}", secret()), "Secret(…)");
        for bad in ["", "whsec_", "whsec_AAAA", "whsec_!!"] {
            assert_eq!(Secret::parse(bad), Err(BadSecret), "{bad}");
        }
    }
}
