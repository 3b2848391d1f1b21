//! The verdict on a signed file: stock checks, policy, proofs, search, witnesses and disclosure, in that order.
//!
//! Offline and pure: files come in parsed, the moment is the RFC 3161 timestamp's. Each check has a name, and the
//! first that refuses ends the verdict with its reason. The stock checks are [`crate::stock::verify`]'s; the
//! statements behind the proofs are recomputed by `sigveil_zk_ca::verify` (protocol.md §5.3); the chain of a search
//! answer is walked by `sigveil_verifiable_search`.

pub mod policy;
mod refusal;

use der::{Decode, Encode};
use sigveil_log::checkpoint::VerifiedCheckpoint;
use sigveil_verifiable_search::answer;
use sigveil_verifiable_search::key::MapKey;
use sigveil_vrf_identity::disclosure::{Disclosure, Subject};
use sigveil_vrf_identity::label::{Mode, San};
use sigveil_zk_ca::authority::CertificateDer;
use sigveil_zk_ca::key::SubjectKey;
use sigveil_zk_ca::profile::{CertificateView, Proofs};
use sigveil_zk_ca::verify::{self as proofs, ProvenCertificate};
use x509_cert::Certificate;

use crate::companion::Companion;
use crate::stock::{self, Bundle, Evidence, TrustedRoot};
use crate::trust::{Scheme, Trust};
use policy::{Matcher, Requirements};
pub use refusal::VerifyError;

/// Seconds by which a timestamp may precede notBefore (protocol.md §5.3).
const TIMESTAMP_SKEW_SECONDS: u64 = 60;

/// Everything a verdict is made from.
#[derive(Clone, Copy)]
pub struct Inputs<'a> {
    /// SHA-256 of the file.
    pub artifact: [u8; 32],
    /// Its bundle.
    pub bundle: &'a Bundle,
    /// The stock trust root.
    pub root: &'a TrustedRoot,
    /// The trust root with what this system adds; without it only stock checks can be demanded.
    pub trust: Option<&'a Trust>,
    /// The file beside the bundle.
    pub companion: Option<&'a Companion>,
    /// A disclosure that has to hold.
    pub disclosure: Option<Disclosed<'a>>,
}

/// A disclosure and what it has to say.
#[derive(Clone, Copy)]
pub struct Disclosed<'a> {
    /// The disclosure.
    pub disclosure: &'a Disclosure,
    /// The identity's value.
    pub value: &'a str,
    /// The context string that this verifier chose.
    pub context: &'a str,
}

/// Who may have signed, and what has to be proven.
#[derive(Clone, Debug)]
pub struct Policy {
    /// The SAN.
    pub identity: Matcher,
    /// The issuer.
    pub issuer: Matcher,
    /// What must hold beyond the stock checks.
    pub require: Requirements,
}

/// One check and whether it held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Check {
    /// Its name.
    pub name: &'static str,
    /// Whether it held.
    pub ok: bool,
}

/// What came out.
#[derive(Debug)]
pub struct Verdict {
    /// The checks made, in order; the last one is the one that refused, if any did.
    pub checks: Vec<Check>,
    /// What the bundle says, once the stock checks accepted it.
    pub evidence: Option<Evidence>,
    /// Whether proofs were checked under keys that one party made for development.
    pub development_keys: bool,
    /// Why the answer is no.
    pub refusal: Option<VerifyError>,
}

/// Checks everything that is demanded, and that can be with what is there.
pub fn verify(inputs: &Inputs<'_>, policy: &Policy) -> Verdict {
    let mut verdict = Verdict { checks: Vec::new(), evidence: None, development_keys: false, refusal: None };
    verdict.refusal = run(inputs, policy, &mut verdict).err();
    if verdict.refusal.is_some()
        && let Some(last) = verdict.checks.last_mut()
    {
        last.ok = false;
    }
    verdict
}

impl Verdict {
    /// Notes that a check begins; it counts as held unless the verdict ends in it.
    fn begin(&mut self, name: &'static str) {
        self.checks.push(Check { name, ok: true });
    }
}

fn run(inputs: &Inputs<'_>, policy: &Policy, verdict: &mut Verdict) -> Result<(), VerifyError> {
    verdict.begin("stock");
    let evidence = stock::verify(inputs.artifact, inputs.bundle, inputs.root)?;
    verdict.evidence = Some(evidence.clone());
    verdict.begin("identity");
    if !policy.identity.matches(&evidence.san) {
        return Err(VerifyError::Identity { expected: policy.identity.to_string(), actual: evidence.san });
    }
    verdict.begin("issuer");
    if !policy.issuer.matches(&evidence.issuer) {
        return Err(VerifyError::Issuer { expected: policy.issuer.to_string(), actual: evidence.issuer });
    }
    let require = policy.require;
    if !require.beyond_stock() && inputs.disclosure.is_none() {
        return Ok(());
    }
    let trust = inputs.trust.ok_or(VerifyError::NoTrustSection)?;
    let mut proven = None;
    if require.proof || inputs.disclosure.is_some() {
        verdict.begin("proof");
        let certificate = prove(inputs, trust, &evidence, trust.witnesses.at_least(require.witnesses))?;
        verdict.development_keys = certificate.development_keys;
        proven = Some(certificate);
    }
    if require.search || require.reexecutors > 0 {
        verdict.begin("search");
        search(inputs, trust, &evidence, require)?;
        if require.reexecutors > 0 {
            // Held by the same walk: the answer's checkpoint carries so many of their lines.
            verdict.begin("reexecutor");
        }
    }
    if require.witnesses > 0 {
        verdict.begin("witness");
        witnessed(inputs.bundle, trust, trust.witnesses.at_least(require.witnesses))?;
    }
    if let (Some(disclosed), Some(proven)) = (inputs.disclosure, proven) {
        verdict.begin("disclosure");
        disclosure(&disclosed, &proven.certificate, inputs.artifact)?;
    }
    Ok(())
}

/// The certificate was issued by a key with a scheme that proves, is of the profile, and its proofs hold.
fn prove(
    inputs: &Inputs<'_>,
    trust: &Trust,
    evidence: &Evidence,
    witnesses: usize,
) -> Result<ProvenCertificate, VerifyError> {
    let leaf = Certificate::from_der(inputs.bundle.certificate()).map_err(|_| VerifyError::NoAuthority)?;
    let authority = issuing_authority(&leaf, trust)?;
    let time = leaf.tbs_certificate.validity.not_before.to_unix_duration().as_secs();
    let scheme = scheme(&authority, trust, time)?;
    if matches!(scheme, Scheme::Clear | Scheme::Hashed) {
        // Said of these by name, whatever their certificates hold.
        return Err(VerifyError::Unproven(scheme.name()));
    }
    let certificate = CertificateView::parse(inputs.bundle.certificate())?;
    if certificate.san().to_string() != evidence.san || certificate.issuer() != evidence.issuer {
        return Err(VerifyError::TwoReadings);
    }
    if !matches!((scheme, certificate.san().mode), (Scheme::Zk, Mode::Open) | (Scheme::ZkBlind, Mode::Blind))
    {
        return Err(VerifyError::Scheme);
    }
    let logged = trust.stock.ctlogs().filter_map(|spki| {
        use p256::pkcs8::DecodePublicKey;
        p256::ecdsa::VerifyingKey::from_public_key_der(spki).ok()
    });
    let mut outcome = Err(VerifyError::NoCertificateLog);
    for log in logged {
        outcome = proofs::sct(&certificate, &authority, &log).map_err(VerifyError::from);
        if outcome.is_ok() {
            break;
        }
    }
    outcome?;
    let signed_at = u64::try_from(evidence.signed_at).unwrap_or(0);
    if signed_at + TIMESTAMP_SKEW_SECONDS < certificate.time() || signed_at > certificate.not_after() {
        return Err(VerifyError::TimestampTime);
    }
    match certificate.proofs() {
        Proofs::Inline(_) => Ok(proofs::proofs(certificate, &trust.proofs)?),
        Proofs::Deferred(_) => deferred(inputs, trust, certificate, witnesses),
    }
}

/// The proofs are in a receipt that witnesses saw in the log in time (protocol.md §6).
fn deferred(
    inputs: &Inputs<'_>,
    trust: &Trust,
    certificate: CertificateView,
    demanded: usize,
) -> Result<ProvenCertificate, VerifyError> {
    let delay = trust.section.deferral_delay_seconds.ok_or(VerifyError::DeferralNotAllowed)?;
    let logged = inputs.companion.and_then(|companion| companion.receipt.as_ref());
    let logged = logged.ok_or(proofs::VerifyError::ProofPending)?;
    let (receipt, checkpoint) = logged.open(&trust.signature_log, &trust.witnesses.keys)?;
    let latest = certificate.not_after().saturating_add(delay);
    let seen = checkpoint.cosignatures();
    if seen.len() < demanded {
        return Err(VerifyError::TooFewWitnesses { demanded, found: seen.len() });
    }
    if seen.iter().filter(|line| line.time <= latest).count() < demanded {
        return Err(VerifyError::LateReceipt);
    }
    Ok(proofs::receipt(certificate, &receipt, &trust.proofs)?)
}

/// The certificate in the trust root whose key signed the leaf.
fn issuing_authority(leaf: &Certificate, trust: &Trust) -> Result<CertificateDer, VerifyError> {
    let signed = leaf.tbs_certificate.to_der().map_err(|_| VerifyError::NoAuthority)?;
    let signature = leaf.signature.as_bytes().ok_or(VerifyError::NoAuthority)?;
    for der in trust.stock.certificate_authorities().flatten() {
        let Ok(key) = subject_key(der) else { continue };
        if key.verify(&signed, signature).is_ok() {
            return Ok(CertificateDer::from_der(der.to_vec())?);
        }
    }
    Err(VerifyError::NoAuthority)
}

fn subject_key(certificate: &[u8]) -> Result<SubjectKey, VerifyError> {
    let certificate = Certificate::from_der(certificate).map_err(|_| VerifyError::NoAuthority)?;
    let spki =
        certificate.tbs_certificate.subject_public_key_info.to_der().map_err(|_| VerifyError::NoAuthority)?;
    SubjectKey::from_der(&spki).map_err(|_| VerifyError::NoAuthority)
}

fn scheme(authority: &CertificateDer, trust: &Trust, time: u64) -> Result<Scheme, VerifyError> {
    let key = subject_key(authority.as_bytes())?;
    let entry = trust.ca_key(key.der()).filter(|entry| entry.valid_for.contains(time));
    entry.map(|entry| entry.scheme).ok_or(VerifyError::NoAuthority)
}

/// The entry stands in the complete list under its label, in an index that was witnessed and recomputed.
fn search(
    inputs: &Inputs<'_>,
    trust: &Trust,
    evidence: &Evidence,
    require: Requirements,
) -> Result<(), VerifyError> {
    let answer = inputs.companion.and_then(|companion| companion.search.as_ref());
    let answer = answer.ok_or(VerifyError::NoSearchAnswer)?;
    let san: San = evidence.san.parse()?;
    let key = MapKey::label(&san.label.to_bytes());
    let found = answer.verify(&key, &search_policy(trust, require.witnesses, require.reexecutors))?;
    // A number says where the entry stands only in the log that the index covers, and only in the tree that witnesses saw.
    let note = inputs.bundle.checkpoint().as_bytes();
    let demanded = trust.witnesses.at_least(require.witnesses);
    VerifiedCheckpoint::open_witnessed(note, &trust.signature_log, &trust.witnesses.keys, demanded)?;
    let origin = trust.signature_log.name();
    let index = inputs.bundle.entry_index();
    let listed = found.entries().iter().any(|entry| entry.place.log == origin && entry.place.index == index);
    if !listed || !found.is_complete() {
        return Err(VerifyError::NotListed);
    }
    Ok(())
}

/// What an answer is checked against: the trust root's thresholds, or more where more is demanded.
pub fn search_policy(trust: &Trust, witnesses: usize, reexecutors: usize) -> answer::Policy {
    answer::Policy {
        output: trust.output_log.clone(),
        witnesses: answer::Quorum {
            keys: trust.witnesses.keys.clone(),
            threshold: trust.witnesses.at_least(witnesses),
        },
        reexecutors: answer::Quorum {
            keys: trust.reexecutors.keys.clone(),
            threshold: trust.reexecutors.at_least(reexecutors),
        },
        inputs: vec![trust.signature_log.clone()],
        authorities: (trust.redaction_authorities.keys.clone(), trust.redaction_authorities.threshold),
    }
}

/// So many witnesses had seen the entry by notAfter + D.
fn witnessed(bundle: &Bundle, trust: &Trust, demanded: usize) -> Result<(), VerifyError> {
    let certificate = CertificateView::parse(bundle.certificate())?;
    let note = bundle.checkpoint().as_bytes();
    let checkpoint = VerifiedCheckpoint::open(note, &trust.signature_log, &trust.witnesses.keys)?;
    let latest = certificate.not_after().saturating_add(trust.section.witness_delay_seconds);
    let in_time = checkpoint.cosignatures().iter().filter(|line| line.time <= latest).count();
    if checkpoint.cosignatures().len() < demanded {
        return Err(VerifyError::TooFewWitnesses { demanded, found: checkpoint.cosignatures().len() });
    }
    if in_time < demanded { Err(VerifyError::LateEntry) } else { Ok(()) }
}

/// The disclosure was made for this certificate, file and verifier, and says what is expected.
fn disclosure(
    disclosed: &Disclosed<'_>,
    certificate: &CertificateView,
    artifact: [u8; 32],
) -> Result<(), VerifyError> {
    let subject =
        Subject { certificate: certificate.digest(), artifact, context: disclosed.context.to_owned() };
    let Disclosure::Open(open) = disclosed.disclosure;
    let identity = open.verify(&subject, certificate.commitment())?;
    if identity.issuer() != certificate.issuer() {
        return Err(VerifyError::DisclosedIssuer);
    }
    if identity.value() != disclosed.value {
        return Err(VerifyError::DisclosedValue);
    }
    Ok(())
}
