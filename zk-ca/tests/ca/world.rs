//! A whole CA on loopback ports: an issuer with a real RSA key, a certificate log that signs, and a prover for circuits
//! that prove nothing. Statements are checked natively in its place, so a false one fails the test.

use std::collections::BTreeMap;
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use axum::routing::get;
use axum::{Json, Router};
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;
use serde_json::{Value, json};
use sigveil_circuits::groth16::{Matrices, Proof, ProvingKey, prove, setup};
use sigveil_circuits::r1cs::{Assignment, Cs, Shape};
use sigveil_circuits::testing::Issuer;
use sigveil_circuits::token::{Class, Jwt, SizeClass};
use sigveil_circuits::{Fr, nym, token};
use sigveil_log::sct::{PrecertEntry, SignedCertificateTimestamp};
use sigveil_vrf_identity::identity::Kind;
use sigveil_vrf_identity::label::{Mode, Profile};
use sigveil_vrf_identity::service::{InProcessEvaluator, NymEvaluator};
use sigveil_vrf_identity::vrf::SecretKey;
use sigveil_zk_ca::authority::{CertificateAuthority, CertificateDer, ChainPlan, ValidityPeriod};
use sigveil_zk_ca::key::SigningKeyP256;
use sigveil_zk_ca::profile::Serial;
use sigveil_zk_ca::service::certificate_log::{CertificateLog, SctFuture};
use sigveil_zk_ca::service::clock::Clock;
use sigveil_zk_ca::service::fulcio;
use sigveil_zk_ca::service::issue::{Ca, CaParts, Issuance, Proving};
use sigveil_zk_ca::service::oidc::{FetchPolicy, IssuerKeys};
use sigveil_zk_ca::service::prover::{Prover, ProverError, ProverPool};
use sigveil_zk_ca::trust::{
    Allowance, Base64Bytes, Binding, CheckedTrust, CircuitTrust, Interval, IssuerKey, IssuerTrust,
    ProofTrust, TokenCircuit, VrfEpochs,
};

pub const NOW: u64 = 1_790_000_000;
pub const AUDIENCE: &str = "sigstore";
pub const EMAIL: &str = "alice@example.org";

pub struct FixedClock;

impl Clock for FixedClock {
    fn now(&self) -> u64 {
        NOW
    }
}

/// The circuit that holds for every public input.
fn anything<C: Cs>(cs: &mut C, value: Fr) {
    let value = cs.hint(&[], |_| value);
    cs.public(&value);
    cs.product(&value, &value);
}

/// Lets proofs through once it is open.
#[derive(Default)]
pub struct Gate {
    open: Mutex<bool>,
    opened: Condvar,
}

impl Gate {
    pub fn open(&self) {
        *self.open.lock().unwrap() = true;
        self.opened.notify_all();
    }

    fn pass(&self) {
        drop(self.opened.wait_while(self.open.lock().unwrap(), |open| !*open).unwrap());
    }
}

struct NativeProver {
    key: ProvingKey,
    matrices: Matrices,
    gate: Arc<Gate>,
    /// The class that it is asked for.
    class: Class,
}

impl NativeProver {
    fn new(gate: Arc<Gate>, class: Class) -> Self {
        let shape = Shape::of(|cs| anything(cs, Fr::from(0u64)));
        let key = setup(&shape, &mut ChaCha20Rng::seed_from_u64(1), &mut |_| {}).unwrap();
        Self { key, matrices: Matrices::new(&shape), gate, class }
    }

    fn prove(&self, public: Fr) -> Result<Proof, ProverError> {
        let assignment = Assignment::of(|cs| anything(cs, public));
        Ok(prove(&self.key, &self.matrices, &assignment, &mut ChaCha20Rng::seed_from_u64(2))?)
    }
}

impl Prover for NativeProver {
    fn token(
        &self,
        class: Class,
        instance: &token::Instance,
        witness: &token::Witness,
    ) -> Result<Proof, ProverError> {
        // A token of a class without keys is refused before anything is proven.
        assert_eq!(class, self.class);
        assert!(witness.class().size <= class.size);
        self.gate.pass();
        self.prove(instance.digest())
    }

    fn nym(&self, instance: &nym::Instance, witness: &nym::Witness) -> Result<Proof, ProverError> {
        nym::check(instance, witness).unwrap();
        self.prove(instance.digest())
    }
}

pub struct Log(pub p256::ecdsa::SigningKey);

impl CertificateLog for Log {
    fn add_precertificate<'a>(
        &'a self,
        _: &'a [CertificateDer; 3],
        entry: &'a PrecertEntry,
    ) -> SctFuture<'a> {
        Box::pin(async move { Ok(SignedCertificateTimestamp::sign(&self.0, entry, NOW * 1000, 7)) })
    }
}

pub struct World {
    pub issuer: Issuer,
    pub iss: String,
    pub url: String,
    pub ca: Arc<Ca>,
    pub trust: ProofTrust,
    pub log: p256::ecdsa::SigningKey,
    pub client: reqwest::Client,
}

pub async fn serve(router: Router) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, router).await });
    format!("http://{address}")
}

pub async fn serve_issuer(key_set: Value) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let iss = format!("http://{}", listener.local_addr().unwrap());
    let discovery = json!({ "issuer": iss, "jwks_uri": format!("{iss}/jwks") });
    let router = Router::new()
        .route("/.well-known/openid-configuration", get(move || async { Json(discovery) }))
        .route("/jwks", get(move || async { Json(key_set) }));
    tokio::spawn(async move { axum::serve(listener, router).await });
    iss
}

pub fn policy() -> FetchPolicy {
    FetchPolicy { allow_loopback_http: true, timeout: Duration::from_secs(5) }
}

pub fn authority() -> CertificateAuthority {
    let plan = ChainPlan {
        organization: "sigveil test",
        common_name: "test authority",
        validity: ValidityPeriod { not_before: NOW - 1000, not_after: NOW + 100_000_000 },
    };
    let mut rng = ChaCha20Rng::seed_from_u64(4);
    let (root, key) = (SigningKeyP256::generate(&mut rng), SigningKeyP256::generate(&mut rng));
    CertificateAuthority::create(&root, key, &plan, [Serial::draw(&mut rng), Serial::draw(&mut rng)]).unwrap()
}

fn log_key() -> p256::ecdsa::SigningKey {
    p256::ecdsa::SigningKey::from_slice(&[5; 32]).unwrap()
}

/// Scheme zk with one prover and room for two more requests.
pub fn proven(prover: impl Prover) -> Issuance {
    Issuance::Proven(Proving { prover: Arc::new(prover), pool: ProverPool::new(1, 2), deferral: None })
}

/// The parts of a CA that a test may choose.
pub struct Plan {
    pub authority: CertificateAuthority,
    pub certificate_log: Arc<dyn CertificateLog>,
    pub issuance: Issuance,
    pub circuits: CircuitTrust,
}

impl Plan {
    /// With the prover that proves nothing, which waits for the gate, and the log that only signs.
    pub fn gated(gate: Arc<Gate>, size: SizeClass) -> Self {
        let prover = NativeProver::new(gate, Class::rsa2048(size));
        let verifying = Base64Bytes(prover.key.verifying_key().to_bytes().to_vec());
        Self {
            authority: authority(),
            certificate_log: Arc::new(Log(log_key())),
            issuance: proven(prover),
            circuits: CircuitTrust {
                token: vec![TokenCircuit {
                    size_class: size.bytes() as u16,
                    modulus_bits: 2048,
                    verifying_key: verifying.clone(),
                }],
                nym: verifying,
                development: true,
            },
        }
    }

    /// The same with an open gate.
    pub fn simple() -> Self {
        Self::of(SizeClass::B768)
    }

    /// The same with a circuit of this class alone.
    pub fn of(size: SizeClass) -> Self {
        let gate = Arc::<Gate>::default();
        gate.open();
        Self::gated(gate, size)
    }
}

impl World {
    pub async fn start() -> Self {
        Self::build(Plan::simple()).await
    }

    /// A world with one prover, which waits for the gate, and room for two more requests.
    pub async fn start_gated() -> (Self, Arc<Gate>) {
        let gate = Arc::<Gate>::default();
        (Self::build(Plan::gated(Arc::clone(&gate), SizeClass::B768)).await, gate)
    }

    pub async fn build(plan: Plan) -> Self {
        Self::build_for(plan, Kind::Email).await
    }

    /// A world whose identities are of this kind.
    pub async fn build_for(plan: Plan, kind: Kind) -> Self {
        let issuer = Issuer::generate();
        let iss = serve_issuer(json!({ "keys": [issuer.jwk()] })).await;
        let mut rng = ChaCha20Rng::seed_from_u64(3);
        let secret = SecretKey::generate(&mut rng);
        let evaluator = InProcessEvaluator::new(secret);
        let header = Jwt::parse(&issuer.token("{}")).unwrap().compact().header().to_vec();
        let trust = ProofTrust {
            issuers: vec![IssuerTrust {
                issuer: iss.clone(),
                audience: AUDIENCE.into(),
                kind,
                binding: Binding::Nonce,
                default_profile: Profile::Stable,
                allowed: vec![Allowance {
                    modes: vec![Mode::Open],
                    profiles: vec![Profile::Stable, Profile::Unlinkable],
                    valid_for: Interval::from(0),
                }],
                keys: vec![IssuerKey {
                    modulus: Base64Bytes(issuer.modulus().as_bytes().to_vec()),
                    header: Base64Bytes(header),
                    valid_for: Interval::from(0),
                }],
            }],
            vrf: vec![VrfEpochs {
                public_key: Base64Bytes(evaluator.public_key().to_bytes().to_vec()),
                slots: 300,
                epoch_seconds: 86_400,
                first_epoch: 1,
                valid_for: Interval::from(NOW - 200_000),
            }],
            circuits: plan.circuits,
        };
        let ca = Arc::new(Ca::new(CaParts {
            authority: plan.authority,
            trust: CheckedTrust::new(&trust).unwrap(),
            issuer_keys: BTreeMap::from([(iss.clone(), IssuerKeys::discover(&iss, policy()).unwrap())]),
            evaluator: Arc::new(evaluator),
            issuance: plan.issuance,
            certificate_log: plan.certificate_log,
            clock: Arc::new(FixedClock),
        }));
        let url = serve(fulcio::router(Arc::clone(&ca))).await;
        Self {
            issuer,
            iss,
            url,
            ca,
            trust,
            log: log_key(),
            client: reqwest::Client::builder().no_proxy().build().unwrap(),
        }
    }

    /// A payload that is accepted, for a test to change.
    pub fn payload(&self) -> String {
        let (iat, exp) = (NOW - 10, NOW + 300);
        let iss = &self.iss;
        format!(
            r#"{{"iss":"{iss}","aud":"{AUDIENCE}","sub":"u1","iat":{iat},"exp":{exp},"email":"{EMAIL}","email_verified":true}}"#
        )
    }

    pub async fn post(&self, path: &str, body: &Value) -> (u16, Value) {
        let response = self.client.post(format!("{}{path}", self.url)).json(body).send().await.unwrap();
        (response.status().as_u16(), response.json().await.unwrap())
    }

    /// Asks in the form of sigstore-js.
    pub async fn request(&self, key: &SigningKeyP256, token: &str, own: Value) -> (u16, Value) {
        self.post("/api/v2/signingCert", &request(key, token, EMAIL, own)).await
    }
}

pub fn request(key: &SigningKeyP256, token: &str, challenge: &str, own: Value) -> Value {
    use base64::Engine;
    let pem =
        der::pem::encode_string("PUBLIC KEY", der::pem::LineEnding::LF, key.public_key().der()).unwrap();
    json!({
        "credentials": { "oidcIdentityToken": token },
        "publicKeyRequest": {
            "publicKey": { "algorithm": "ECDSA", "content": pem },
            "proofOfPossession": base64::prelude::BASE64_STANDARD.encode(key.sign(challenge.as_bytes())),
        },
        "sigveil": own,
    })
}

pub fn leaf(answer: &Value) -> CertificateDer {
    let chain = &answer["signedCertificateEmbeddedSct"]["chain"]["certificates"];
    CertificateDer::from_pem(chain[0].as_str().unwrap()).unwrap()
}
