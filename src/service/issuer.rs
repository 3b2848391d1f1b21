//! The embedded identity provider: an OpenID Connect issuer for one machine, for the demo and for development.
//!
//! It speaks discovery and JWKS as real providers do, so that the certificate authority treats it as any other. Its
//! `/token` endpoint gives *anybody who reaches it* a token for any address: it belongs on a loopback port and into
//! no production trust root.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{KeyPair, RSA_PKCS1_SHA256, RsaKeyPair};
use axum::extract::State;
use axum::routing::{get, post};
use axum::{Json, Router};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::Deserialize;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

/// How long a token lives, seconds.
pub const LIFETIME: u64 = 600;

/// Why the issuer could not be set up or could not sign.
#[derive(Debug, thiserror::Error)]
pub enum IssuerError {
    /// The key could not be made, read or used.
    #[error("the embedded identity provider's key is unusable")]
    Key,
}

impl IssuerError {
    /// The stable reason code.
    pub fn reason(&self) -> &'static str {
        "issuer-key-unusable"
    }
}

crate::failure::failures!(IssuerError);

/// An identity provider with one RSA-2048 key.
pub struct Issuer {
    url: String,
    key: RsaKeyPair,
    key_id: String,
}

/// Whom a token names and whom it is for.
#[derive(Clone, Debug, Deserialize)]
pub struct TokenRequest {
    /// The address, taken as verified.
    pub email: String,
    /// The audience.
    pub audience: String,
    /// What the token is bound to, if it is.
    #[serde(default)]
    pub nonce: Option<String>,
}

impl Issuer {
    /// A fresh key, PKCS #8.
    ///
    /// # Errors
    /// When the key cannot be made.
    pub fn generate_key() -> Result<Zeroizing<Vec<u8>>, IssuerError> {
        let key = RsaKeyPair::generate(KeySize::Rsa2048).map_err(|_| IssuerError::Key)?;
        let der: Pkcs8V1Der<'_> = key.as_der().map_err(|_| IssuerError::Key)?;
        Ok(Zeroizing::new(der.as_ref().to_vec()))
    }

    /// The issuer at `url` (no final slash), with a key that [`Self::generate_key`] made.
    ///
    /// # Errors
    /// When the key is not an RSA key.
    pub fn new(url: String, pkcs8: &[u8]) -> Result<Self, IssuerError> {
        let key = RsaKeyPair::from_pkcs8(pkcs8).map_err(|_| IssuerError::Key)?;
        let thumbprint = format!(r#"{{"e":"AQAB","kty":"RSA","n":"{}"}}"#, modulus(&key));
        let key_id = URL_SAFE_NO_PAD.encode(Sha256::digest(thumbprint));
        Ok(Self { url, key, key_id })
    }

    /// The issuer's URL, which is the `iss` of its tokens.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The key set, as served.
    pub fn jwks(&self) -> Value {
        json!({"keys": [{
            "kty": "RSA", "use": "sig", "alg": "RS256", "kid": self.key_id, "n": modulus(&self.key), "e": "AQAB",
        }]})
    }

    /// The header of every token, exactly as signed.
    pub fn header(&self) -> String {
        format!(r#"{{"alg":"RS256","kid":"{}","typ":"JWT"}}"#, self.key_id)
    }

    /// A token issued at `now` (Unix seconds).
    ///
    /// # Errors
    /// When signing fails.
    pub fn token(&self, request: &TokenRequest, now: u64) -> Result<String, IssuerError> {
        let mut claims = json!({
            "iss": self.url,
            "sub": URL_SAFE_NO_PAD.encode(Sha256::digest(&request.email)),
            "aud": request.audience,
            "iat": now,
            "exp": now + LIFETIME,
            "email": request.email,
            "email_verified": true,
        });
        if let Some(nonce) = &request.nonce {
            claims["nonce"] = json!(nonce);
        }
        self.sign(claims.to_string().as_bytes())
    }

    /// Signs any payload, well-formed or not: the demo shows with it what the certificate authority refuses.
    ///
    /// # Errors
    /// When signing fails.
    pub fn sign(&self, payload: &[u8]) -> Result<String, IssuerError> {
        let input = format!("{}.{}", URL_SAFE_NO_PAD.encode(self.header()), URL_SAFE_NO_PAD.encode(payload));
        let mut signature = vec![0; self.key.public_modulus_len()];
        self.key
            .sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), input.as_bytes(), &mut signature)
            .map_err(|_| IssuerError::Key)?;
        Ok(format!("{input}.{}", URL_SAFE_NO_PAD.encode(signature)))
    }

    /// Discovery, key set and the development-only token endpoint.
    pub fn router(self: Arc<Self>) -> Router {
        Router::new()
            .route("/.well-known/openid-configuration", get(discovery))
            .route("/keys", get(|State(issuer): State<Arc<Self>>| async move { Json(issuer.jwks()) }))
            .route("/token", post(issue))
            .with_state(self)
    }
}

fn modulus(key: &RsaKeyPair) -> String {
    URL_SAFE_NO_PAD.encode(key.public_key().modulus().big_endian_without_leading_zero())
}

async fn discovery(State(issuer): State<Arc<Issuer>>) -> Json<Value> {
    let url = &issuer.url;
    Json(json!({
        "issuer": url,
        "jwks_uri": format!("{url}/keys"),
        "token_endpoint": format!("{url}/token"),
        "authorization_endpoint": format!("{url}/authorize"),
        "response_types_supported": ["id_token"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["RS256"],
    }))
}

async fn issue(
    State(issuer): State<Arc<Issuer>>,
    Json(request): Json<TokenRequest>,
) -> Result<Json<Value>, axum::http::StatusCode> {
    // A clock before 1970 makes a token that nobody accepts, which is the right answer to such a clock.
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs());
    let failed = |_| axum::http::StatusCode::INTERNAL_SERVER_ERROR;
    let token = tokio::task::spawn_blocking(move || issuer.token(&request, now))
        .await
        .map_err(|_| axum::http::StatusCode::INTERNAL_SERVER_ERROR)?;
    Ok(Json(json!({"id_token": token.map_err(failed)?})))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failed expectation is the test's verdict")]
mod tests {
    use super::*;
    use aws_lc_rs::signature::{RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents};

    #[test]
    fn a_token_verifies_under_the_served_key_set_and_names_what_was_asked() {
        let issuer = Issuer::new("http://localhost:1".into(), &Issuer::generate_key().unwrap()).unwrap();
        let request = TokenRequest {
            email: "a@example.com".into(),
            audience: "sigstore".into(),
            nonce: Some("n".into()),
        };
        let token = issuer.token(&request, 1_000).unwrap();
        let (input, signature) = token.rsplit_once('.').unwrap();
        let jwks = issuer.jwks();
        let part = |name: &str| URL_SAFE_NO_PAD.decode(jwks["keys"][0][name].as_str().unwrap()).unwrap();
        RsaPublicKeyComponents { n: part("n"), e: part("e") }
            .verify(
                &RSA_PKCS1_2048_8192_SHA256,
                input.as_bytes(),
                &URL_SAFE_NO_PAD.decode(signature).unwrap(),
            )
            .unwrap();
        let (header, payload) = input.split_once('.').unwrap();
        assert_eq!(URL_SAFE_NO_PAD.decode(header).unwrap(), issuer.header().as_bytes());
        let claims: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).unwrap()).unwrap();
        assert_eq!(claims["iss"], "http://localhost:1");
        assert_eq!(claims["nonce"], "n");
        assert_eq!(claims["exp"], 1_000 + LIFETIME);
    }
}
