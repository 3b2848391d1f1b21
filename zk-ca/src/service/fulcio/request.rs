//! Requests for a certificate, in the forms of stock clients and with our own fields beside them.

use axum::http::{HeaderMap, header};
use base64::Engine;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};
use der::{Decode, Encode};
use serde::{Deserialize, Deserializer};
use sigveil_circuits::token::BindingSalt;
use sigveil_log::der_sets;
use sigveil_vrf_identity::field;
use sigveil_vrf_identity::label::{Mode, Profile};
use x509_cert::request::CertReq;
use zeroize::Zeroizing;

use crate::key::{KeyError, SubjectKey};

/// Most bytes of a request.
pub const MAX_REQUEST_BYTES: usize = 32 * 1024;
/// Most bytes of a certificate signing request, DER: those of the largest keys have half of it.
const MAX_CSR_BYTES: usize = 4 * 1024;

/// Why a request is refused before its token is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RequestError {
    /// No JSON of the form.
    #[error("the request is not the JSON of a certificate request")]
    Malformed,
    /// No token in the Authorization header nor in the body.
    #[error("the request carries no identity token")]
    TokenMissing,
    /// Two tokens that differ.
    #[error("the request carries two different identity tokens")]
    TokenAmbiguous,
    /// Neither a certificate signing request nor a public key.
    #[error("the request carries no public key")]
    KeyMissing,
    /// Both of them.
    #[error("the request carries both a certificate signing request and a public key")]
    KeyAmbiguous,
    /// The certificate signing request is none.
    #[error("the certificate signing request is malformed")]
    Csr,
    /// The proof of possession is no base64, or the CSR's algorithm is not the key's.
    #[error("the proof of possession is malformed")]
    Proof,
    /// The key, or the proof of possessing it.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// A mode or profile that does not exist.
    #[error("unknown mode or profile")]
    UnknownName,
    /// Blind issuance, which comes later.
    #[error("blind issuance is not supported yet")]
    BlindUnsupported,
    /// Deferred proofs where the trust root allows none.
    #[error("this authority does not defer proofs")]
    DeferredUnsupported,
    /// The bind salt is no base64url of a canonical field element.
    #[error("the bind salt is malformed")]
    BindSalt,
}

impl RequestError {
    /// Stable reason code.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Malformed => "request-malformed",
            Self::TokenMissing => "token-missing",
            Self::TokenAmbiguous => "token-ambiguous",
            Self::KeyMissing => "public-key-missing",
            Self::KeyAmbiguous => "public-key-ambiguous",
            Self::Csr => "csr-malformed",
            Self::Proof => "proof-of-possession-malformed",
            Self::Key(error) => error.reason(),
            Self::UnknownName => "profile-unknown",
            Self::BlindUnsupported => "blind-unsupported",
            Self::DeferredUnsupported => "deferred-unsupported",
            Self::BindSalt => "bind-salt-malformed",
        }
    }
}

/// A checked request. The key's possession is proven, or is once the token's claims are known.
pub struct SigningRequest {
    /// The bearer token.
    pub token: Zeroizing<String>,
    /// The key to certify.
    pub key: Option<RequestedKey>,
    /// The profile asked for; else the issuer's default.
    pub profile: Option<Profile>,
    /// When the proofs are to be made; else as the authority prefers.
    pub timing: Option<Timing>,
    /// The salt of a bound token's nonce; else the token must be unbound.
    pub bind_salt: Option<BindingSalt>,
}

/// When a certificate's proofs are made (protocol.md §6).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Timing {
    /// Before it is issued: it carries them.
    Inline,
    /// After: they follow in the log.
    Deferred,
}

/// The key of a request.
pub enum RequestedKey {
    /// From a certificate signing request, whose signature has been verified.
    Proven(SubjectKey),
    /// A bare key, with a signature over a claim of the token.
    Challenged {
        /// The key.
        key: SubjectKey,
        /// The signature.
        proof: Vec<u8>,
    },
}

impl RequestedKey {
    /// The key, whose possession is not proven yet.
    pub fn key(&self) -> &SubjectKey {
        match self {
            Self::Proven(key) | Self::Challenged { key, .. } => key,
        }
    }

    /// The key, if its possession is proven: by the CSR, or by a signature over one of these claim values.
    pub fn prove(self, claims: &[&str]) -> Result<SubjectKey, KeyError> {
        match self {
            Self::Proven(key) => Ok(key),
            Self::Challenged { key, proof } => {
                let proven = claims.iter().any(|claim| key.verify(claim.as_bytes(), &proof).is_ok());
                if proven { Ok(key) } else { Err(KeyError::Signature) }
            }
        }
    }
}

impl SigningRequest {
    /// Reads header and body of a request.
    pub fn parse(headers: &HeaderMap, body: &[u8]) -> Result<Self, RequestError> {
        let wire: RequestWire = serde_json::from_slice(body).map_err(|_| RequestError::Malformed)?;
        let token = token(headers, wire.credentials.and_then(|credentials| credentials.oidc_identity_token))?;
        let key = match (wire.certificate_signing_request, wire.public_key_request) {
            (Some(_), Some(_)) => return Err(RequestError::KeyAmbiguous),
            (Some(csr), None) => Some(RequestedKey::Proven(csr_key(&csr)?)),
            (None, Some(request)) => Some(request.key()?),
            (None, None) => None,
        };
        let own = wire.sigveil.unwrap_or_default();
        own.check_mode()?;
        Ok(Self { token, key, profile: own.profile()?, timing: own.timing()?, bind_salt: own.bind_salt()? })
    }
}

/// The token of the Authorization header or of the body; both only if they are equal.
fn token(headers: &HeaderMap, body: Option<Zeroizing<String>>) -> Result<Zeroizing<String>, RequestError> {
    let header = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let bearer = header
        .and_then(|value| value.split_once(' '))
        .and_then(|(scheme, token)| scheme.eq_ignore_ascii_case("bearer").then(|| token.trim().to_owned()));
    let body = body.filter(|token| !token.is_empty());
    match (bearer.map(Zeroizing::new), body) {
        (Some(one), Some(other)) if one != other => Err(RequestError::TokenAmbiguous),
        (Some(token), _) | (None, Some(token)) => Ok(token),
        (None, None) => Err(RequestError::TokenMissing),
    }
}

/// The key of a PKCS#10 request (RFC 2986) in base64 of PEM, after its self-signature has been verified. Subject and
/// attributes are not looked at.
fn csr_key(text: &str) -> Result<SubjectKey, RequestError> {
    let pem = BASE64_STANDARD.decode(text).map_err(|_| RequestError::Csr)?;
    let (label, der) = der::pem::decode_vec(&pem).map_err(|_| RequestError::Csr)?;
    if label != "CERTIFICATE REQUEST" {
        return Err(RequestError::Csr);
    }
    // The parser sorts attributes in a time that is quadratic in their number.
    if der.len() > MAX_CSR_BYTES || !der_sets::are_small(&der) {
        return Err(RequestError::Csr);
    }
    let request = CertReq::from_der(&der).map_err(|_| RequestError::Csr)?;
    let key = request.info.public_key.to_der().map_err(|_| RequestError::Csr)?;
    let key = SubjectKey::from_der(&key)?;
    if request.algorithm.oid != key.signature_algorithm() {
        return Err(RequestError::Proof);
    }
    let signed = request.info.to_der().map_err(|_| RequestError::Csr)?;
    key.verify(&signed, request.signature.as_bytes().ok_or(RequestError::Proof)?)?;
    Ok(key)
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RequestWire {
    credentials: Option<CredentialsWire>,
    public_key_request: Option<PublicKeyRequestWire>,
    certificate_signing_request: Option<String>,
    sigveil: Option<OwnWire>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct CredentialsWire {
    #[serde(default, deserialize_with = "wiped")]
    oidc_identity_token: Option<Zeroizing<String>>,
}

/// A string that is wiped even if the rest of the request turns out to be none.
fn wiped<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Zeroizing<String>>, D::Error> {
    Ok(Option::<String>::deserialize(deserializer)?.map(Zeroizing::new))
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct PublicKeyRequestWire {
    public_key: PublicKeyWire,
    proof_of_possession: String,
}

/// The algorithm that stock clients name beside the key is the key's own; it is not read.
#[derive(Deserialize)]
struct PublicKeyWire {
    content: String,
}

impl PublicKeyRequestWire {
    fn key(self) -> Result<RequestedKey, RequestError> {
        let key = SubjectKey::from_pem(&self.public_key.content)?;
        let proof = BASE64_STANDARD.decode(self.proof_of_possession).map_err(|_| RequestError::Proof)?;
        Ok(RequestedKey::Challenged { key, proof })
    }
}

/// Fields that only `sigveil` sends.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct OwnWire {
    mode: Option<String>,
    profile: Option<String>,
    proofs: Option<String>,
    bind_salt: Option<String>,
}

impl OwnWire {
    fn check_mode(&self) -> Result<(), RequestError> {
        match self.mode.as_deref().map(Mode::from_name) {
            None | Some(Some(Mode::Open)) => Ok(()),
            Some(Some(Mode::Blind)) => Err(RequestError::BlindUnsupported),
            Some(None) => Err(RequestError::UnknownName),
        }
    }

    fn timing(&self) -> Result<Option<Timing>, RequestError> {
        match self.proofs.as_deref() {
            None => Ok(None),
            Some("inline") => Ok(Some(Timing::Inline)),
            Some("deferred") => Ok(Some(Timing::Deferred)),
            Some(_) => Err(RequestError::UnknownName),
        }
    }

    fn profile(&self) -> Result<Option<Profile>, RequestError> {
        let parse = |name: &String| Profile::from_name(name).ok_or(RequestError::UnknownName);
        self.profile.as_ref().map(parse).transpose()
    }

    fn bind_salt(&self) -> Result<Option<BindingSalt>, RequestError> {
        let parse = |text: &String| {
            let bytes = BASE64_URL_SAFE_NO_PAD.decode(text).map_err(|_| RequestError::BindSalt)?;
            field::from_bytes(&bytes).map(BindingSalt).map_err(|_| RequestError::BindSalt)
        };
        self.bind_salt.as_ref().map(parse).transpose()
    }
}
