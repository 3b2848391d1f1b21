//! Open issuance: token in, certificate with both proofs out (protocol.md §4, §5, §6).
//!
//! The CA sees the token, and with it the identity and its open keys; it keeps none of them. Token, ρ_1, ρ, salts, Γ
//! and both keys live in values that are wiped or dropped when the request ends. What stays is a digest of (token, key)
//! beside the certificate, until that has expired.

mod cache;
mod draft;
mod error;
mod token;

use std::collections::BTreeMap;
use std::sync::Arc;

use rand_core::OsRng;
use sigveil_vrf_identity::label::{Mode, Profile};
use sigveil_vrf_identity::service::NymEvaluator;
use sigveil_vrf_identity::vrf::{Evaluation, PublicKey};

use super::certificate_log::CertificateLog;
use super::clock::SharedClock;
use super::fulcio::SigningRequest;
use super::oidc::IssuerKeys;
use super::prover::{Prover, ProverPool};
use crate::authority::{CertificateAuthority, CertificateDer};
use crate::key::SubjectKey;
use crate::profile::{Precertificate, VALIDITY_SECONDS};
use crate::trust::CheckedTrust;
use crate::verify::Claims;

use cache::Cache;
pub use error::IssueError;
use token::AcceptedToken;

/// Seconds by which the certificate's time precedes the CA's clock: clocks at stock clients run behind.
pub const CLOCK_MARGIN_SECONDS: u64 = 5;

/// An issued certificate with the chain above it.
#[derive(Clone, Debug)]
pub struct IssuedCertificate {
    /// Leaf, intermediate, root.
    pub chain: [CertificateDer; 3],
}

/// The evaluation, in mode open, of the identity that a token names: its holder derives k_id and k_open from it.
pub struct OwnerEvaluation {
    /// Γ and its proof.
    pub evaluation: Evaluation,
    /// The VRF key it verifies under.
    pub public_key: PublicKey,
}

/// What a CA is made of.
pub struct CaParts {
    /// Key and chain.
    pub authority: CertificateAuthority,
    /// The trust data that verifiers of its certificates use.
    pub trust: CheckedTrust,
    /// Keys of each issuer, by `iss`.
    pub issuer_keys: BTreeMap<String, IssuerKeys>,
    /// The nym service.
    pub evaluator: Arc<dyn NymEvaluator>,
    /// The prover.
    pub prover: Arc<dyn Prover>,
    /// Where proofs are made.
    pub pool: ProverPool,
    /// The certificate log.
    pub certificate_log: Arc<dyn CertificateLog>,
    /// The clock.
    pub clock: SharedClock,
}

/// The running CA.
pub struct Ca {
    parts: CaParts,
    cache: Cache,
}

impl Ca {
    /// A CA of these parts.
    pub fn new(parts: CaParts) -> Self {
        Self { parts, cache: Cache::default() }
    }

    /// Its authority.
    pub fn authority(&self) -> &CertificateAuthority {
        &self.parts.authority
    }

    /// Its trust data.
    pub fn trust(&self) -> &CheckedTrust {
        &self.parts.trust
    }

    /// Issues a certificate, or finds the one issued before for this token and key. Work that has begun goes on when
    /// the caller goes away, so that asking again finds it.
    pub async fn issue(
        self: &Arc<Self>,
        request: SigningRequest,
    ) -> Result<Arc<IssuedCertificate>, IssueError> {
        let now = self.parts.clock.now();
        let time = now.saturating_sub(CLOCK_MARGIN_SECONDS);
        let SigningRequest { token, key, profile, bind_salt } = request;
        let requested = key.ok_or(super::fulcio::RequestError::KeyMissing)?;
        let accepted = self.accept(&token, Some(requested.key()), bind_salt, time).await?;
        let key = requested.prove(&accepted.challenge_claims())?;
        let issuer = self.parts.trust.issuer(accepted.issuer()).ok_or(IssueError::IssuerUnknown)?;
        let profile = profile.unwrap_or(issuer.default_profile());
        if !issuer.allows(Mode::Open, profile, time) {
            return Err(IssueError::ProfileNotAllowed(profile));
        }
        let place = self.cache.place(&token, &key, now, time + VALIDITY_SECONDS).ok_or(IssueError::Busy)?;
        drop(token);
        let ca = Arc::clone(self);
        let work = async move {
            place.get_or_try_init(|| ca.make(accepted, key, profile, time)).await.map(Arc::clone)
        };
        tokio::spawn(work).await.map_err(|_| super::prover::ProverError::Stopped)?
    }

    /// Tells the holder of a token its identity's evaluation (protocol.md §4.4).
    pub async fn owner_evaluation(&self, request: SigningRequest) -> Result<OwnerEvaluation, IssueError> {
        let time = self.parts.clock.now().saturating_sub(CLOCK_MARGIN_SECONDS);
        let SigningRequest { token, key, profile: _, bind_salt } = request;
        let accepted = self.accept(&token, key.as_ref().map(|key| key.key()), bind_salt, time).await?;
        if let Some(key) = key {
            key.prove(&accepted.challenge_claims())?;
        }
        let (evaluation, _, public_key) = draft::evaluate(&self.parts, accepted.token.identity(), time)?;
        Ok(OwnerEvaluation { evaluation, public_key })
    }

    async fn accept(
        &self,
        token: &str,
        key: Option<&SubjectKey>,
        salt: Option<sigveil_circuits::token::BindingSalt>,
        time: u64,
    ) -> Result<AcceptedToken, IssueError> {
        token::accept(&self.parts, token, key, salt, time).await
    }

    async fn make(
        self: &Arc<Self>,
        accepted: AcceptedToken,
        key: SubjectKey,
        profile: Profile,
        time: u64,
    ) -> Result<Arc<IssuedCertificate>, IssueError> {
        let ca = Arc::clone(self);
        let work = move || draft::prove(&ca.parts, &accepted, key, profile, time, &mut OsRng);
        let content = self.parts.pool.run(work).await??;
        Claims::of_content(&content).verify(&self.parts.trust).map_err(IssueError::SelfCheck)?;
        let authority = &self.parts.authority;
        let precertificate = Precertificate::create(&content, authority)?;
        let entry = precertificate.entry(authority)?;
        let [issuer, root] = [authority.certificate().clone(), authority.root().clone()];
        let submitted = [precertificate.certificate().clone(), issuer.clone(), root.clone()];
        let sct = self.parts.certificate_log.add_precertificate(&submitted, &entry).await?;
        let leaf = precertificate.finish(&sct, authority)?;
        Ok(Arc::new(IssuedCertificate { chain: [leaf, issuer, root] }))
    }
}
