//! The client's side of an instance: an identity token, a certificate, a timestamp and a log entry, over HTTP.
//!
//! The three faces are the stock ones (Fulcio v2, RFC 3161, Rekor v2), so this client works against any instance that
//! serves them; what only this system understands rides along in members that others ignore.

use std::time::Duration;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use der::asn1::{Int, OctetString};
use der::{Any, Encode};
use reqwest::blocking::{Client as Http, RequestBuilder, Response};
use serde_json::{Value, json};
use sigveil_log::entry::{HashedRekord, KeyDetails, Signature, Verifier};
use sigveil_zk_ca::receipt::LoggedReceipt;
use sigveil_zk_ca::service::fulcio::RECEIPTS_PATH;
use spki::AlgorithmIdentifierOwned;
use x509_tsp::{MessageImprint, TimeStampReq, TspVersion};

/// Proving takes seconds; an authority that needs longer than this has failed.
const TIMEOUT: Duration = Duration::from_secs(120);
/// No answer of these services is longer, bytes.
const ANSWER_LIMIT: usize = 4 << 20;

/// Why a service did not give what was asked.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// It could not be reached, or broke off.
    #[error("{service} at {url} could not be reached: {detail}")]
    Unreachable {
        /// Which service.
        service: &'static str,
        /// Where.
        url: String,
        /// What went wrong.
        detail: String,
    },
    /// It refused, with a reason of its own.
    #[error("{service} refused: {message}")]
    Refused {
        /// Which service.
        service: &'static str,
        /// Its reason code.
        reason: String,
        /// What it said.
        message: String,
    },
    /// It answered something that is not of its format.
    #[error("{service} gave an answer that cannot be read: {detail}")]
    Malformed {
        /// Which service.
        service: &'static str,
        /// What is wrong with it.
        detail: String,
    },
}

impl ClientError {
    /// The stable reason code: the service's own where it gave one that is known.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Unreachable { .. } => "service-unreachable",
            Self::Refused { reason, .. } => crate::failure::known(reason).unwrap_or("service-refused"),
            Self::Malformed { .. } => "service-answer-malformed",
        }
    }
}

crate::failure::failures!(ClientError);

/// A client for the services of one instance.
#[derive(Debug)]
pub struct Client {
    http: Http,
}

/// What the certificate authority is asked for, beside the token and the key.
#[derive(Clone, Debug, Default)]
pub struct Wish {
    /// Base64url of the salt that the token's nonce was made with; without it the token is not bound.
    pub bind_salt: Option<String>,
    /// The label's profile; without it the issuer's default.
    pub profile: Option<&'static str>,
}

impl Client {
    /// A client with the timeouts of this system.
    ///
    /// # Errors
    /// When the TLS backend cannot be set up.
    pub fn new() -> Result<Self, ClientError> {
        let http = Http::builder().timeout(TIMEOUT).build();
        let http = http.map_err(|error| unreachable("the network", "here", &error))?;
        Ok(Self { http })
    }

    /// A token of an embedded identity provider (development only).
    ///
    /// # Errors
    /// When it cannot be reached or gives none.
    pub fn token(
        &self,
        issuer: &str,
        email: &str,
        audience: &str,
        nonce: Option<&str>,
    ) -> Result<String, ClientError> {
        const SERVICE: &str = "the identity provider";
        let url = format!("{issuer}/token");
        let body = json!({"email": email, "audience": audience, "nonce": nonce});
        let answer = json_answer(SERVICE, &url, self.http.post(&url).json(&body))?;
        text(SERVICE, &answer["id_token"])
    }

    /// A certificate for the key: the chain, DER, leaf first.
    ///
    /// # Errors
    /// When the authority cannot be reached, refuses, or answers with no chain.
    pub fn certificate(
        &self,
        ca: &str,
        token: &str,
        public_key_pem: &str,
        possession: &[u8],
        wish: &Wish,
    ) -> Result<Vec<Vec<u8>>, ClientError> {
        const SERVICE: &str = "the certificate authority";
        let url = format!("{ca}/api/v2/signingCert");
        let mut body = json!({
            "credentials": {"oidcIdentityToken": token},
            "publicKeyRequest": {
                "publicKey": {"algorithm": "ECDSA", "content": public_key_pem},
                "proofOfPossession": STANDARD.encode(possession),
            },
        });
        let mut own = serde_json::Map::new();
        own.extend(wish.bind_salt.as_ref().map(|salt| ("bindSalt".to_owned(), json!(salt))));
        own.extend(wish.profile.map(|profile| ("profile".to_owned(), json!(profile))));
        if !own.is_empty() {
            body["sigveil"] = Value::Object(own);
        }
        let answer = json_answer(SERVICE, &url, self.http.post(&url).json(&body))?;
        let chain = answer["signedCertificateEmbeddedSct"]["chain"]["certificates"].as_array();
        let chain = chain.ok_or_else(|| malformed(SERVICE, "no chain"))?;
        let certificates: Option<Vec<Vec<u8>>> =
            chain.iter().map(|pem| certificate_der(pem.as_str()?)).collect();
        certificates
            .filter(|chain| !chain.is_empty())
            .ok_or_else(|| malformed(SERVICE, "no certificate chain in PEM"))
    }

    /// An RFC 3161 response over a signature with this SHA-256, DER.
    ///
    /// # Errors
    /// When the authority cannot be reached or refuses.
    pub fn timestamp(&self, url: &str, imprint: [u8; 32], nonce: u64) -> Result<Vec<u8>, ClientError> {
        const SERVICE: &str = "the timestamp authority";
        let request =
            timestamp_request(imprint, nonce).map_err(|error| malformed(SERVICE, &error.to_string()))?;
        let request = self.http.post(url).header("Content-Type", "application/timestamp-query").body(request);
        answer(SERVICE, url, request)
    }

    /// Puts a signature into the log: its answer, a `TransparencyLogEntry`.
    ///
    /// # Errors
    /// When the log cannot be reached or refuses.
    pub fn submit(
        &self,
        rekor: &str,
        digest: [u8; 32],
        signature: &[u8],
        certificate: &[u8],
    ) -> Result<Value, ClientError> {
        const SERVICE: &str = "the signature log";
        let signature = Signature {
            content: signature.to_vec(),
            key_details: KeyDetails::EcdsaP256Sha256,
            verifier: Verifier::Certificate(certificate.to_vec()),
        };
        let entry = HashedRekord::new(digest.to_vec(), signature)
            .map_err(|error| malformed(SERVICE, &error.to_string()))?;
        let url = format!("{rekor}/api/v2/log/entries");
        let request =
            self.http.post(&url).header("Content-Type", "application/json").body(entry.to_request());
        json_answer(SERVICE, &url, request)
    }

    /// Any JSON answer of a service, by GET.
    ///
    /// # Errors
    /// When it cannot be reached, refuses, or answers something else.
    pub fn fetch(&self, service: &'static str, url: &str) -> Result<Value, ClientError> {
        json_answer(service, url, self.http.get(url))
    }

    /// The bytes behind a URL.
    ///
    /// # Errors
    /// When it cannot be reached, or refuses.
    pub fn bytes(&self, service: &'static str, url: &str) -> Result<Vec<u8>, ClientError> {
        answer(service, url, self.http.get(url))
    }

    /// The receipt of a deferred certificate, by SHA-256 of its DER.
    ///
    /// # Errors
    /// As [`Self::fetch`]; while it is being made, with the reason `proof-pending`.
    pub fn receipt(&self, ca: &str, certificate: &[u8; 32]) -> Result<LoggedReceipt, ClientError> {
        const SERVICE: &str = "the certificate authority";
        let url = format!("{}{RECEIPTS_PATH}/{}", ca.trim_end_matches('/'), hex::encode(certificate));
        let answer = self.fetch(SERVICE, &url)?;
        serde_json::from_value(answer).map_err(|error| malformed(SERVICE, &error.to_string()))
    }

    /// Sends JSON and gives the JSON answer.
    ///
    /// # Errors
    /// As [`Self::fetch`].
    pub fn post(&self, service: &'static str, url: &str, body: &Value) -> Result<Value, ClientError> {
        json_answer(service, url, self.http.post(url).json(body))
    }
}

fn timestamp_request(imprint: [u8; 32], nonce: u64) -> der::Result<Vec<u8>> {
    let sha256 =
        AlgorithmIdentifierOwned { oid: const_oid::db::rfc5912::ID_SHA_256, parameters: Some(Any::null()) };
    // A leading zero octet keeps the INTEGER positive and, with the first bit set, minimal.
    let nonce = [&[0][..], &(nonce | 1 << 63).to_be_bytes()].concat();
    let request = TimeStampReq {
        version: TspVersion::V1,
        message_imprint: MessageImprint {
            hash_algorithm: sha256,
            hashed_message: OctetString::new(imprint)?,
        },
        req_policy: None,
        nonce: Some(Int::new(&nonce)?),
        cert_req: true,
        extensions: None,
    };
    request.to_der()
}

fn certificate_der(pem: &str) -> Option<Vec<u8>> {
    let (label, der) = der::pem::decode_vec(pem.as_bytes()).ok()?;
    (label == "CERTIFICATE").then_some(der)
}

fn json_answer(service: &'static str, url: &str, request: RequestBuilder) -> Result<Value, ClientError> {
    let bytes = answer(service, url, request)?;
    serde_json::from_slice(&bytes).map_err(|error| malformed(service, &error.to_string()))
}

fn answer(service: &'static str, url: &str, request: RequestBuilder) -> Result<Vec<u8>, ClientError> {
    let response = request.send().map_err(|error| unreachable(service, url, &error))?;
    let status = response.status();
    let bytes = bounded(service, url, response)?;
    if status.is_success() {
        return Ok(bytes);
    }
    // A problem document (RFC 9457) with a member `reason`, or any other text.
    let problem: Value = serde_json::from_slice(&bytes).unwrap_or_default();
    let member = |name: &str| problem[name].as_str().map(str::to_owned);
    let message = member("detail").or_else(|| member("message")).or_else(|| member("title"));
    Err(ClientError::Refused {
        service,
        reason: member("reason").unwrap_or_default(),
        message: message.unwrap_or_else(|| format!("status {status}")),
    })
}

fn bounded(service: &'static str, url: &str, response: Response) -> Result<Vec<u8>, ClientError> {
    use std::io::Read;
    let mut bytes = Vec::new();
    let limit = u64::try_from(ANSWER_LIMIT).unwrap_or(u64::MAX);
    let read = response.take(limit + 1).read_to_end(&mut bytes);
    read.map_err(|error| unreachable(service, url, &error))?;
    if bytes.len() > ANSWER_LIMIT {
        return Err(malformed(service, "too long"));
    }
    Ok(bytes)
}

fn text(service: &'static str, value: &Value) -> Result<String, ClientError> {
    value.as_str().map(str::to_owned).ok_or_else(|| malformed(service, "a member is missing"))
}

fn unreachable(service: &'static str, url: &str, error: &dyn std::error::Error) -> ClientError {
    let mut detail = error.to_string();
    // The cause at the bottom says what a person can act on: refused, no such host, timed out.
    let mut source = error.source();
    while let Some(inner) = source {
        detail = inner.to_string();
        source = inner.source();
    }
    ClientError::Unreachable { service, url: url.to_owned(), detail }
}

fn malformed(service: &'static str, detail: &str) -> ClientError {
    ClientError::Malformed { service, detail: detail.to_owned() }
}
