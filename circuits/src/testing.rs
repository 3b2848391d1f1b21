//! An issuer for tests and for the demo's embedded identity provider: RSA keys and RS256 tokens.

use aws_lc_rs::digest::{Digest, SHA256};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPair, KeySize, PublicKeyComponents};
use aws_lc_rs::signature::{self, KeyPair as _};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::token::{Modulus, ModulusSize};

/// The header that [`Issuer::token`] writes around a key's name.
const KEY_ID: &str = "test-key";

/// An issuer that signs whatever it is told to.
pub struct Issuer {
    keys: KeyPair,
}

impl Issuer {
    /// An issuer with a new key of 2,048 bits.
    ///
    /// # Panics
    /// If the system gives no randomness.
    #[must_use]
    pub fn generate() -> Self {
        Self::generate_sized(ModulusSize::Rsa2048)
    }

    /// An issuer with a new key of this size: seconds for the larger ones.
    ///
    /// # Panics
    /// If the system gives no randomness.
    #[must_use]
    pub fn generate_sized(size: ModulusSize) -> Self {
        let size = match size {
            ModulusSize::Rsa2048 => KeySize::Rsa2048,
            ModulusSize::Rsa3072 => KeySize::Rsa3072,
            ModulusSize::Rsa4096 => KeySize::Rsa4096,
        };
        Self { keys: KeyPair::generate(size).expect("the system gives randomness") }
    }

    /// An issuer with the key of a PKCS#8 document; `None` if it is none of 2,048 bits or more.
    #[must_use]
    pub fn from_pkcs8(document: &[u8]) -> Option<Self> {
        Some(Self { keys: KeyPair::from_pkcs8(document).ok()? })
    }

    /// The private key as PKCS#8.
    ///
    /// # Panics
    /// Never: every key pair has this encoding.
    #[must_use]
    pub fn to_pkcs8(&self) -> Vec<u8> {
        use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
        let document: Pkcs8V1Der<'_> = self.keys.as_der().expect("a key pair encodes");
        document.as_ref().to_vec()
    }

    /// The public modulus.
    ///
    /// # Panics
    /// If the key's size is no [`ModulusSize`] or its exponent not 65,537, which [`Issuer::from_pkcs8`] does not ask.
    #[must_use]
    pub fn modulus(&self) -> Modulus {
        let public: PublicKeyComponents<Vec<u8>> = self.keys.public_key().into();
        Modulus::new(&public.n, &public.e).expect("a size and an exponent that are supported")
    }

    /// The `kid` that [`Issuer::token`] writes.
    #[must_use]
    pub fn key_id(&self) -> &'static str {
        KEY_ID
    }

    /// The public key as a member of a JWK set.
    #[must_use]
    pub fn jwk(&self) -> serde_json::Value {
        serde_json::json!({
            "kty": "RSA", "alg": "RS256", "use": "sig", "kid": KEY_ID,
            "n": URL_SAFE_NO_PAD.encode(self.modulus().as_bytes()), "e": "AQAB",
        })
    }

    /// A token with this payload, byte for byte, under the usual header.
    #[must_use]
    pub fn token(&self, payload: &str) -> String {
        self.token_with_header(
            &format!(r#"{{"alg":"RS256","kid":"{KEY_ID}","typ":"JWT"}}"#),
            payload.as_bytes(),
        )
    }

    /// A token with this header and payload, byte for byte.
    #[must_use]
    pub fn token_with_header(&self, header: &str, payload: &[u8]) -> String {
        let input = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(payload));
        self.sign(input)
    }

    /// Signs an input that need not be base64url of anything, and appends the signature.
    ///
    /// # Panics
    /// If the system gives no randomness, which blinding needs.
    #[must_use]
    pub fn sign(&self, input: String) -> String {
        let mut signature = vec![0; self.keys.public_modulus_len()];
        self.keys
            .sign(&signature::RSA_PKCS1_SHA256, &SystemRandom::new(), input.as_bytes(), &mut signature)
            .expect("the buffer has the key's size and the system gives randomness");
        format!("{input}.{}", URL_SAFE_NO_PAD.encode(signature))
    }

    /// Signs a digest, of whatever it may be.
    ///
    /// # Panics
    /// If the system gives no randomness, which blinding needs.
    #[must_use]
    pub fn sign_digest(&self, digest: &[u8; 32]) -> Vec<u8> {
        let digest = Digest::import_less_safe(digest, &SHA256).expect("a digest of SHA-256 has 32 bytes");
        let mut signature = vec![0; self.keys.public_modulus_len()];
        self.keys
            .sign_digest(&signature::RSA_PKCS1_SHA256, &digest, &mut signature)
            .expect("the buffer has the key's size and the system gives randomness");
        signature
    }
}
