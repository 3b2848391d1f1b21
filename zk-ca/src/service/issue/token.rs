//! From the bytes of a token to one that is accepted: issuer, key, header, native check.

use sigveil_circuits::token::json::{Kind as JsonKind, Object};
use sigveil_circuits::token::{Binding, BindingSalt, CheckedToken, Class, Expectation, Jwt, Usage, check};

use super::{CaParts, IssueError};
use crate::key::SubjectKey;
use crate::profile::IssuerKeyId;
use crate::service::fulcio::RequestError;
use crate::service::prover::ProverError;
use crate::trust::{self, CheckedTrust};

/// A token that passed the native check under a key that verifiers know.
pub(super) struct AcceptedToken {
    pub(super) token: CheckedToken,
    pub(super) issuer_key: IssuerKeyId,
    pub(super) bound: bool,
}

impl AcceptedToken {
    /// In whose circuit it is proven: said before anything is.
    pub(super) fn class(&self, trust: &CheckedTrust) -> Result<Class, ProverError> {
        let class = self.token.class();
        trust.smallest_class(class).ok_or(ProverError::NoKey(class))
    }

    /// The token's `iss`.
    pub(super) fn issuer(&self) -> &str {
        self.token.identity().issuer()
    }

    /// Values over which stock clients sign to prove possession: `sub`, and `email` where the issuer says that it is
    /// verified: an address that anybody may state ties a signature to nobody.
    pub(super) fn challenge_claims(&self) -> Vec<&str> {
        challenge_claims(self.token.jwt().compact().payload())
    }
}

fn challenge_claims(payload: &[u8]) -> Vec<&str> {
    let is_verified = claim(payload, "email_verified", JsonKind::Literal) == Some(b"true".as_slice());
    let email = string_claim(payload, "email").filter(|_| is_verified);
    email.into_iter().chain(string_claim(payload, "sub")).collect()
}

/// Accepts a token for certification at `time`: bound to `key` where a salt is given, unbound otherwise.
pub(super) async fn accept(
    parts: &CaParts,
    token: &str,
    key: Option<&SubjectKey>,
    salt: Option<BindingSalt>,
    time: u64,
) -> Result<AcceptedToken, IssueError> {
    let jwt = Jwt::parse(token)?;
    let iss = string_claim(jwt.compact().payload(), "iss").ok_or(IssueError::IssuerUnknown)?;
    let issuer = parts.trust.issuer(iss).ok_or(IssueError::IssuerUnknown)?;
    let keys = parts.issuer_keys.get(iss).ok_or(IssueError::IssuerUnknown)?;
    let binding = match salt {
        None => Binding::Unbound,
        Some(_) if issuer.binding() != trust::Binding::Nonce => return Err(IssueError::BindingUnsupported),
        Some(salt) => {
            Binding::Nonce { bind: key.ok_or(RequestError::KeyMissing)?.key_hash().to_field(), salt }
        }
    };
    let modulus = keys.modulus(jwt.key_id(), time).await?;
    let expectation = Expectation {
        modulus: &modulus,
        issuer: issuer.issuer(),
        audience: issuer.audience(),
        kind: issuer.kind(),
        time,
        usage: Usage::Certificate,
        binding,
    };
    let checked = check(&jwt, &expectation)?;
    let issuer_key = IssuerKeyId::new(&modulus, jwt.compact().header());
    if issuer.key(&issuer_key, time).is_none() {
        return Err(IssueError::KeyUnlisted);
    }
    Ok(AcceptedToken { token: checked, issuer_key, bound: salt.is_some() })
}

/// A top-level string claim as it stands, the first of that name. Only for choosing what to check against.
fn string_claim<'a>(payload: &'a [u8], name: &str) -> Option<&'a str> {
    let value = claim(payload, name, JsonKind::String)?;
    std::str::from_utf8(&value[1..value.len() - 1]).ok()
}

/// A top-level claim of this kind as it stands.
fn claim<'a>(payload: &'a [u8], name: &str, kind: JsonKind) -> Option<&'a [u8]> {
    let object = Object::parse(payload).ok()?;
    let member = object.members().iter().find(|member| &payload[member.key.clone()] == name.as_bytes())?;
    (member.kind == kind).then(|| &payload[member.value.clone()])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn possession_is_proven_over_an_address_only_if_it_is_verified() {
        let claims = |members: &str| {
            let payload = format!("{{{members}}}");
            challenge_claims(payload.as_bytes()).join(" ")
        };
        assert_eq!(claims(r#""sub":"u","email":"a@b","email_verified":true"#), "a@b u");
        for unverified in ["false", "null", r#""true""#, "1"] {
            let members = format!(r#""email":"a@b","email_verified":{unverified},"sub":"u""#);
            assert_eq!(claims(&members), "u", "{unverified}");
        }
        assert_eq!(claims(r#""sub":"u","email":"a@b""#), "u");
        assert_eq!(claims(r#""email":"a@b","email_verified":true"#), "a@b");
    }
}
