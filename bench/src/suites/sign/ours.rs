//! Our instance, and a signing by our own client.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use der::Decode as _;
use p256::ecdsa::SigningKey;
use p256::ecdsa::signature::Signer as _;
use p256::pkcs8::{EncodePublicKey as _, LineEnding};
use rand_core::{OsRng, RngCore as _};
use sigveil::companion::Companion;
use sigveil::files;
use sigveil::service::client::{Client, Wish};
use sigveil::service::sign::{Signed, TokenSource, companion, receipt, services, sign};
use sigveil::stock::{Bundle, Services, TrustedRoot};
use sigveil::trust::Trust;
use sigveil::verify::policy::{Matcher, Requirements};
use sigveil::verify::{Inputs, Policy, verify};
use sigveil_zk_ca::profile::CertificateView;
use x509_cert::ext::pkix::SubjectAltName;
use x509_cert::ext::pkix::name::GeneralName;

use super::Turn;
use crate::baseline::{AUDIENCE, EMAIL, Process, Served, Signer, Stack, Usage};
use crate::ledger::Figures;
use crate::machine::{self, Spent, spent};
use crate::role::Variant;
use crate::said;

/// What [`sign`] calls its steps, and the metric of each.
const STEPS: [(&str, &str); 3] = [("certificate", "issue"), ("timestamp", "timestamp"), ("log", "log")];

/// An instance in a process of its own.
pub(crate) struct Ours {
    pub(super) scheme: Variant,
    signer: Signer,
    served: Served,
    client: Client,
    trust: Trust,
    pub(crate) services: Services,
    /// The folder of its trust files.
    pub(super) folder: PathBuf,
}

impl Ours {
    pub(crate) fn start(stack: &mut Stack, name: &'static str, scheme: Variant) -> anyhow::Result<Self> {
        let served = stack.instance(name, scheme)?;
        let folder = served.data.join("public");
        let text = |name: &str| files::read_text(&folder.join(name), files::JSON_LIMIT).map_err(said);
        let root = TrustedRoot::from_json(&text("trusted_root.json")?)?;
        let trust = Trust::read(root, &folder.join("trusted_root.sigveil.json")).map_err(said)?;
        let services = services(&text("trust_config.json")?).map_err(said)?;
        let client = Client::new().map_err(said)?;
        let (_, leaf) = certified(&client, &services, EMAIL)?;
        let signer = Signer { identity: named_by(&leaf)?, issuer: services.oidc.clone() };
        Ok(Self { scheme, signer, served, client, trust, services, folder })
    }

    /// The name of its rows for one client.
    pub(super) fn row(&self, client: &str) -> String {
        format!("{}/{client}", self.scheme.name())
    }

    /// A token for the one signer.
    pub(super) fn token(&self) -> anyhow::Result<String> {
        self.client.token(&self.services.oidc, EMAIL, AUDIENCE, None).map_err(said)
    }

    /// Where its index answers.
    pub(super) fn index(&self) -> &str {
        self.trust.section.output_log.base_url.trim_end_matches('/')
    }

    /// The one that all its roles share.
    pub(super) fn processes(&self) -> &[Process] {
        &self.served.processes
    }

    /// Its one process, and where it keeps what it was given.
    pub(crate) fn served(&self) -> &Served {
        &self.served
    }

    /// A new key with its certificate (DER), of whoever has that address.
    pub(crate) fn certified(&self, email: &str) -> anyhow::Result<(SigningKey, Vec<u8>)> {
        certified(&self.client, &self.services, email)
    }

    /// How many entries of its log the index answers for.
    pub(crate) fn indexed(&self) -> anyhow::Result<u64> {
        let state = self.client.fetch("the index", &format!("{}/state", self.index())).map_err(said)?;
        // A checkpoint's second line is the size (C2SP tlog-checkpoint).
        let size = state["inputs"][0].as_str().and_then(|checkpoint| checkpoint.lines().nth(1)?.parse().ok());
        size.context("an index says up to which size it has read its log")
    }

    /// What its process has used.
    pub(super) fn usage(&self) -> anyhow::Result<Usage> {
        self.served.usage()
    }

    /// Whom verifications of its signatures expect: the label of the profile "stable" is always the same.
    pub(super) fn signer(&self) -> &Signer {
        &self.signer
    }

    /// Waits until a bundle's certificate has its proofs, if they follow: their CPU is part of what it costs. The length of what
    /// is logged of them.
    pub(super) fn settle(&self, bundle: &Path) -> anyhow::Result<usize> {
        if self.scheme != Variant::ZkDeferred {
            return Ok(0);
        }
        let text = files::read_text(bundle, files::JSON_LIMIT).map_err(said)?;
        let bundle = Bundle::from_json(&text).map_err(said)?;
        let certificate = CertificateView::parse(bundle.certificate())?;
        let logged = receipt(&self.client, &self.trust, &certificate).map_err(said)?;
        Ok(logged.map_or(0, |receipt| receipt.body.0.len()))
    }

    fn sign(
        &self,
        token: &str,
        digest: [u8; 32],
        step: &mut dyn FnMut(&'static str),
    ) -> anyhow::Result<Signed> {
        let source = TokenSource::Given(token);
        sign(&self.client, &self.services, &self.trust, digest, &source, None, step).map_err(said)
    }

    /// A signing by our client, with its steps, and what a verifier does then.
    pub(super) fn turn(&self) -> Turn<'_> {
        Turn { name: self.row("sigveil"), measure: Box::new(|_| self.measure()) }
    }

    fn measure(&self) -> anyhow::Result<Figures> {
        let (digest, token) = (digest(), self.token()?);
        let (reset, server, own) = (self.served.reset_peaks(), self.usage()?, machine::cpu_seconds());
        let mut begun = Vec::new();
        let start = Instant::now();
        let signed = self.sign(&token, digest, &mut |step| begun.push((step, start.elapsed())))?;
        let wall = start.elapsed();
        let proofs = receipt(&self.client, &self.trust, &signed.certificate).map_err(said)?;
        let proven = start.elapsed();
        let (own, server) = (machine::cpu_seconds() - own, self.usage()? - server);
        begun.push(("end", wall));
        let start = Instant::now();
        let beside = companion(&self.client, &self.trust, &signed).map_err(said)?;
        let search = start.elapsed();
        let verification = self.verification(digest, &signed, &beside)?;
        let mut figures: Figures = [
            ("wall", wall.as_secs_f64()),
            ("client_cpu", own),
            ("server_cpu", server.cpu),
            ("bundle_bytes", signed.bundle_json.len() as f64),
            ("companion_bytes", beside.to_json().len() as f64),
            ("search", search.as_secs_f64()),
            ("verify", verification.wall),
            ("verify_cpu", verification.cpu),
        ]
        .map(|(metric, value)| (metric.to_owned(), value))
        .into();
        figures.extend(server.peak_since(reset));
        figures.extend(lengths(&begun)?);
        if proofs.is_some() {
            // From the certificate to its receipt.
            let at = begun.iter().find(|(name, _)| *name == "timestamp").context("a step was skipped")?.1;
            figures.insert("proof_delay".to_owned(), (proven - at).as_secs_f64());
        }
        Ok(figures)
    }

    /// An offline verification with proofs and search.
    fn verification(&self, artifact: [u8; 32], signed: &Signed, beside: &Companion) -> anyhow::Result<Spent> {
        let exactly = |text: &str| Matcher::new(Some(text), None).map_err(said);
        let policy = Policy {
            identity: exactly(&signed.certificate.san().to_string())?,
            issuer: exactly(signed.certificate.issuer())?,
            require: Requirements::parse(&["proof", "search"]).map_err(said)?,
        };
        let inputs = Inputs {
            artifact,
            bundle: &signed.bundle,
            root: &self.trust.stock,
            trust: Some(&self.trust),
            companion: Some(beside),
            disclosure: None,
        };
        let (taken, verdict) = spent(|| verify(&inputs, &policy));
        match verdict.refusal {
            None => Ok(taken),
            Some(refusal) => Err(anyhow::anyhow!("our own signature was refused: {refusal}")),
        }
    }
}

/// A new key with its certificate (DER).
fn certified(client: &Client, services: &Services, email: &str) -> anyhow::Result<(SigningKey, Vec<u8>)> {
    let token = client.token(&services.oidc, email, AUDIENCE, None).map_err(said)?;
    let key = SigningKey::random(&mut OsRng);
    let pem = key.verifying_key().to_public_key_pem(LineEnding::LF)?;
    let possession: p256::ecdsa::DerSignature = key.sign(email.as_bytes());
    let chain = client.certificate(&services.ca, &token, &pem, possession.as_bytes(), &Wish::default());
    let leaf = chain.map_err(said)?.into_iter().next().context("an authority answers with a chain")?;
    Ok((key, leaf))
}

/// The one name that a certificate has.
fn named_by(leaf: &[u8]) -> anyhow::Result<String> {
    let leaf = x509_cert::Certificate::from_der(leaf)?;
    let names = leaf.tbs_certificate.get::<SubjectAltName>()?.context("a certificate names somebody")?.1;
    match names.0.first() {
        Some(GeneralName::Rfc822Name(address)) => Ok(address.to_string()),
        Some(GeneralName::UniformResourceIdentifier(uri)) => Ok(uri.to_string()),
        _ => anyhow::bail!("a certificate has a name of another type"),
    }
}

/// Of an artifact that was never signed before.
pub(super) fn digest() -> [u8; 32] {
    let mut digest = [0; 32];
    OsRng.fill_bytes(&mut digest);
    digest
}

/// How long each step took: until the next one began.
pub(super) fn lengths(begun: &[(&str, Duration)]) -> anyhow::Result<Figures> {
    let length = |(step, metric): (&str, &str)| {
        let at = begun.iter().position(|(name, _)| *name == step).context("a step was skipped")?;
        let end = begun.get(at + 1).context("the last step has an end")?;
        Ok((metric.to_owned(), (end.1 - begun[at].1).as_secs_f64()))
    };
    STEPS.into_iter().map(length).collect()
}
