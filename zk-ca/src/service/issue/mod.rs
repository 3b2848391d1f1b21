//! Open issuance: token in, certificate with both proofs out (protocol.md §4, §5, §6).
//!
//! The CA sees the token, and with it the identity and its open keys; it keeps none of them. Token, ρ_1, ρ, salts, Γ
//! and both keys live in values that are wiped or dropped when the request ends. What stays is a digest of (token, key)
//! beside the certificate, until that has expired; of a deferred certificate, until its proofs are made, what they are made
//! from.
//!
//! What the certificate says is the scheme's business ([`Issuance`]); token, key, log and answer are the same for all.

mod cache;
mod draft;
mod error;
mod receipts;
mod token;

use std::collections::BTreeMap;
use std::sync::Arc;

use rand_core::OsRng;
use sigveil_log::engine::Log;
use sigveil_log::entry::Entry;
use sigveil_vrf_identity::label::Mode;
use sigveil_vrf_identity::service::NymEvaluator;
use sigveil_vrf_identity::vrf::{Evaluation, PublicKey};

use super::certificate_log::CertificateLog;
use super::clock::SharedClock;
use super::fulcio::{RequestError, SigningRequest, Timing};
use super::oidc::IssuerKeys;
use super::prover::{Admitted, Prover, ProverPool};
use crate::authority::{CertificateAuthority, CertificateDer};
use crate::key::SubjectKey;
use crate::profile::{Precertificate, Proofs, VALIDITY_SECONDS};
use crate::receipt::{LoggedReceipt, Receipt};
use crate::scheme::Scheme;
use crate::trust::{Base64Bytes, CheckedTrust};
use crate::verify::Claims;

use cache::Cache;
use draft::{Order, Prepared};
pub use error::IssueError;
pub use receipts::NoReceipt;
use receipts::Receipts;
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
    /// What its certificates say, and prove.
    pub issuance: Issuance,
    /// The certificate log.
    pub certificate_log: Arc<dyn CertificateLog>,
    /// The clock.
    pub clock: SharedClock,
}

/// A scheme with what it needs.
pub enum Issuance {
    /// [`Scheme::Clear`].
    Clear,
    /// [`Scheme::Hashed`].
    Hashed,
    /// [`Scheme::Zk`].
    Proven(Proving),
}

/// What proofs are made with.
pub struct Proving {
    /// The prover.
    pub prover: Arc<dyn Prover>,
    /// Where it runs, those who wait for a certificate.
    pub pool: ProverPool,
    /// Without it no proofs are deferred.
    pub deferral: Option<Deferral>,
}

/// How proofs are deferred.
pub struct Deferral {
    /// The signature log, which gets the receipts: in this process, since no face of it takes them from outside.
    pub log: Log,
    /// How many proofs may be owed; they are made one after the other.
    pub pool: ProverPool,
    /// Whether requests that do not say get their proofs deferred.
    pub preferred: bool,
}

impl Issuance {
    /// Its scheme.
    pub fn scheme(&self) -> Scheme {
        match self {
            Self::Clear => Scheme::Clear,
            Self::Hashed => Scheme::Hashed,
            Self::Proven(_) => Scheme::Zk,
        }
    }

    /// Whether a request's proofs are deferred, if that can be had.
    fn deferral(&self, asked: Option<Timing>) -> Result<Option<&Deferral>, IssueError> {
        let proving = match (self, asked) {
            (Self::Proven(proving), _) => proving,
            (Self::Clear | Self::Hashed, None) => return Ok(None),
            (Self::Clear | Self::Hashed, Some(_)) => return Err(IssueError::NoProofs),
        };
        match (&proving.deferral, asked) {
            (None, Some(Timing::Deferred)) => Err(RequestError::DeferredUnsupported.into()),
            (Some(deferral), Some(Timing::Deferred)) => Ok(Some(deferral)),
            (Some(deferral), None) if deferral.preferred => Ok(Some(deferral)),
            _ => Ok(None),
        }
    }
}

/// The running CA.
pub struct Ca {
    parts: CaParts,
    cache: Cache,
    receipts: Receipts,
}

impl Ca {
    /// A CA of these parts.
    pub fn new(parts: CaParts) -> Self {
        Self { parts, cache: Cache::default(), receipts: Receipts::default() }
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
        let SigningRequest { token, key, profile, timing, bind_salt } = request;
        let requested = key.ok_or(RequestError::KeyMissing)?;
        self.parts.issuance.deferral(timing)?;
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
            let order = Order { accepted, key, profile, time };
            place.get_or_try_init(|| ca.make(order, timing, now)).await.map(Arc::clone)
        };
        tokio::spawn(work).await.map_err(|_| super::prover::ProverError::Stopped)?
    }

    /// Tells the holder of a token its identity's evaluation (protocol.md §4.4).
    pub async fn owner_evaluation(&self, request: SigningRequest) -> Result<OwnerEvaluation, IssueError> {
        let time = self.parts.clock.now().saturating_sub(CLOCK_MARGIN_SECONDS);
        let SigningRequest { token, key, profile: _, timing: _, bind_salt } = request;
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

    /// The receipt of a deferred certificate, by SHA-256 of its DER.
    pub fn receipt(&self, certificate: &[u8; 32]) -> Result<LoggedReceipt, NoReceipt> {
        self.receipts.find(certificate)
    }

    /// Returns once every proof that is owed has been made and logged.
    pub async fn settle(&self) {
        if let Issuance::Proven(Proving { deferral: Some(deferral), .. }) = &self.parts.issuance {
            deferral.pool.idle().await;
        }
    }

    async fn make(
        self: &Arc<Self>,
        order: Order,
        timing: Option<Timing>,
        now: u64,
    ) -> Result<Arc<IssuedCertificate>, IssueError> {
        let authority = &self.parts.authority;
        match &self.parts.issuance {
            Issuance::Clear => {
                let content = order.clear(&mut OsRng)?;
                self.certify(Precertificate::plain(&content, authority)?).await
            }
            Issuance::Hashed => {
                let content = order.hashed(&self.parts, &mut OsRng)?;
                self.certify(Precertificate::plain(&content, authority)?).await
            }
            Issuance::Proven(proving) => match self.parts.issuance.deferral(timing)? {
                None => self.make_inline(proving, order).await,
                Some(deferral) => self.make_deferred(deferral, order, now).await,
            },
        }
    }

    async fn make_inline(
        self: &Arc<Self>,
        proving: &Proving,
        order: Order,
    ) -> Result<Arc<IssuedCertificate>, IssueError> {
        let class = order.accepted.class(&self.parts.trust)?;
        let (ca, prover) = (Arc::clone(self), Arc::clone(&proving.prover));
        let work = move || {
            let prepared = draft::prepare(&ca.parts, order, class, &mut OsRng)?;
            let pair = prepared.prove(prover.as_ref())?;
            Ok::<_, IssueError>((prepared.content, pair))
        };
        let (mut content, pair) = proving.pool.run(work).await??;
        Claims::of_content(&content).verify(&pair, &self.parts.trust).map_err(IssueError::SelfCheck)?;
        content.proofs = Proofs::Inline(Box::new(pair));
        self.certify(Precertificate::create(&content, &self.parts.authority)?).await
    }

    /// The proofs' place in the queue is taken before anything is issued, so that none is owed which cannot be made.
    async fn make_deferred(
        self: &Arc<Self>,
        deferral: &Deferral,
        order: Order,
        now: u64,
    ) -> Result<Arc<IssuedCertificate>, IssueError> {
        let class = order.accepted.class(&self.parts.trust)?;
        if !self.receipts.has_room(now) {
            return Err(IssueError::Busy);
        }
        let place = deferral.pool.admit()?;
        let prepared = draft::prepare(&self.parts, order, class, &mut OsRng)?;
        let issued = self.certify(Precertificate::create(&prepared.content, &self.parts.authority)?).await?;
        let certificate = issued.chain[0].digest();
        self.receipts.begin(certificate);
        let ca = Arc::clone(self);
        tokio::spawn(async move {
            let outcome = ca.owe(place, prepared, certificate).await;
            if let Err(error) = &outcome {
                tracing::error!(reason = error.reason(), "a deferred proof could not be made or logged");
            }
            ca.receipts.end(certificate, outcome.ok(), ca.parts.clock.now());
        });
        Ok(issued)
    }

    /// Makes the proofs of a certificate that was issued, and has them logged.
    async fn owe(
        self: &Arc<Self>,
        place: Admitted,
        prepared: Prepared,
        certificate: [u8; 32],
    ) -> Result<LoggedReceipt, IssueError> {
        let Issuance::Proven(Proving { prover, deferral: Some(deferral), .. }) = &self.parts.issuance else {
            return Err(IssueError::NoProofs);
        };
        let (ca, prover, log) = (Arc::clone(self), Arc::clone(prover), deferral.log.clone());
        let runtime = tokio::runtime::Handle::current();
        // Logged inside: who waits until nothing is owed waits for that too.
        let work = move || {
            let proofs = prepared.prove(prover.as_ref())?;
            let claims = Claims::of_content(&prepared.content);
            claims.verify(&proofs, &ca.parts.trust).map_err(IssueError::SelfCheck)?;
            let entry = Receipt { certificate, instance: prepared.instance, proofs }.to_entry();
            let logged = runtime.block_on(log.append_receipt(&entry)).map_err(IssueError::Receipt)?;
            Ok(LoggedReceipt {
                body: Base64Bytes(Entry::ProofReceipt(entry).body()),
                log_index: logged.index,
                hashes: logged.proof,
                checkpoint: logged.checkpoint.to_string(),
            })
        };
        place.run(work).await?
    }

    /// Has a precertificate logged, and signs the certificate.
    async fn certify(&self, precertificate: Precertificate) -> Result<Arc<IssuedCertificate>, IssueError> {
        let authority = &self.parts.authority;
        let entry = precertificate.entry(authority)?;
        let [issuer, root] = [authority.certificate().clone(), authority.root().clone()];
        let submitted = [precertificate.certificate().clone(), issuer.clone(), root.clone()];
        let sct = self.parts.certificate_log.add_precertificate(&submitted, &entry).await?;
        let leaf = precertificate.finish(&sct, authority)?;
        Ok(Arc::new(IssuedCertificate { chain: [leaf, issuer, root] }))
    }
}
