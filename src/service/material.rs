//! What the roles of an instance hold: their keys, the certificates above them, and when and where they began.
//!
//! Everything is made on first use and then kept: a key, the chains that its public half is certified in, the moment
//! of the beginning (from which the trust root's validities count) and the ports that were free then.

use std::path::{Path, PathBuf};

use ed25519_dalek::SigningKey as Ed25519Key;
use rand_core::CryptoRngCore;
use serde::{Deserialize, Serialize};
use sigveil_log::note::NoteSigner;
use sigveil_vrf_identity::vrf::SecretKey as VrfKey;
use sigveil_zk_ca::authority::{
    CertificateAuthority, CertificateDer, ChainPlan, ValidityPeriod, create_timestamp_chain,
};
use sigveil_zk_ca::profile::{ProfileError, Serial};
use sigveil_zk_ca::timestamp::TimestampAuthority;
use zeroize::Zeroizing;

use super::config::{Config, Ports};
use super::keys::{KeyStore, KeyStoreError};
use crate::files::{self, FileError};

/// Authorities begin this much before the instance, so that a clock a little behind still finds them valid.
const BACKDATED_SECONDS: u64 = 3_600;
/// How long authorities are valid.
const VALID_SECONDS: u64 = 10 * 365 * 86_400;

/// Why an instance's material could not be had.
#[derive(Debug, thiserror::Error)]
pub enum MaterialError {
    /// A file could not be read or written.
    #[error(transparent)]
    File(#[from] FileError),
    /// A key could not be had.
    #[error(transparent)]
    Key(#[from] KeyStoreError),
    /// A chain could not be made, or does not belong to its key.
    #[error(transparent)]
    Chain(#[from] ProfileError),
    /// A file of the store is not what this program writes there.
    #[error("{0} is damaged: restore it, or begin anew with another store")]
    Damaged(PathBuf),
    /// A name in the config cannot name a key.
    #[error("the config's host cannot name a log: {0}")]
    Name(#[from] sigveil_log::note::KeyError),
}

impl MaterialError {
    /// The stable reason code.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::File(error) => error.reason(),
            Self::Key(error) => error.reason(),
            Self::Chain(error) => error.reason(),
            Self::Damaged(_) => "store-damaged",
            Self::Name(error) => error.reason(),
        }
    }
}

crate::failure::failures!(MaterialError);

/// When an instance began, and the ports it has had since.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Beginning {
    /// Unix seconds.
    pub created: u64,
    /// No zeros among them.
    pub ports: Ports,
}

impl Beginning {
    /// What the store says; if it says nothing yet, `fresh` is kept.
    ///
    /// # Errors
    /// When the file cannot be read or written, or is damaged; whatever `fresh` fails with.
    pub fn keep<E: From<MaterialError>>(
        store: &Path,
        fresh: impl FnOnce() -> Result<Self, E>,
    ) -> Result<Self, E> {
        let path = store.join("instance.json");
        if !path.exists() {
            let json = serde_json::to_vec_pretty(&fresh()?).expect("plain data always has a JSON form");
            files::write(&path, &json).map_err(MaterialError::from)?;
        }
        Ok(Self::read(store)?)
    }

    /// What the store says.
    ///
    /// # Errors
    /// When it says nothing, or is damaged.
    pub fn read(store: &Path) -> Result<Self, MaterialError> {
        let path = store.join("instance.json");
        let text = files::read_text(&path, files::JSON_LIMIT)?;
        serde_json::from_str(&text).map_err(|_| MaterialError::Damaged(path))
    }
}

/// The keys and chains of every role.
pub struct Material {
    /// The certificate authority.
    pub ca: CertificateAuthority,
    /// The timestamp authority.
    pub tsa: TimestampAuthority,
    /// The certificate log's key.
    pub ct: p256::ecdsa::SigningKey,
    /// The signature log's key.
    pub rekor_key: Ed25519Key,
    /// The signature log, as it signs checkpoints.
    pub rekor: NoteSigner,
    /// The index's output log.
    pub output: NoteSigner,
    /// The embedded witness.
    pub witness: NoteSigner,
    /// The embedded re-executor.
    pub reexecutor: NoteSigner,
    /// The embedded redaction authority.
    pub redaction: Ed25519Key,
    /// The nym service's VRF key.
    pub vrf: VrfKey,
    /// The embedded identity provider's key, if it runs.
    pub issuer: Option<Zeroizing<Vec<u8>>>,
}

impl Material {
    /// Opens the store's material, making what is missing.
    ///
    /// # Errors
    /// When a file cannot be read or written, or is not what it should be.
    pub fn open(config: &Config, created: u64, rng: &mut impl CryptoRngCore) -> Result<Self, MaterialError> {
        let keys = KeyStore::open(&config.store.join("keys"))?;
        let host = &config.host;
        let rekor_key = keys.ed25519("rekor", rng)?;
        Ok(Self {
            ca: certificate_authority(config, &keys, created, rng)?,
            tsa: timestamp_authority(config, &keys, created, rng)?,
            ct: keys.ecdsa("ct", rng)?,
            rekor: NoteSigner::ed25519(host, rekor_key.clone())?,
            rekor_key,
            output: NoteSigner::ed25519(&format!("{host}/index"), keys.ed25519("index", rng)?)?,
            witness: NoteSigner::cosignature(&format!("{host}/witness"), keys.ed25519("witness", rng)?)?,
            reexecutor: NoteSigner::cosignature(
                &format!("{host}/reexecutor"),
                keys.ed25519("reexecutor", rng)?,
            )?,
            redaction: keys.ed25519(REDACTION_ROLE, rng)?,
            vrf: vrf_key(&keys, rng)?,
            issuer: config.embedded_issuer.then(|| keys.issuer()).transpose()?,
        })
    }
}

impl Material {
    /// Another copy of the VRF key, for the service that evaluates with it.
    ///
    /// # Errors
    /// Never for a key that was opened; the encoding is read back.
    pub fn vrf(&self) -> Result<VrfKey, MaterialError> {
        VrfKey::from_bytes(self.vrf.to_bytes().as_slice())
            .map_err(|_| MaterialError::Damaged("vrf.hex".into()))
    }
}

/// The name of the redaction authority's key file.
pub const REDACTION_ROLE: &str = "redaction";

fn plan<'a>(config: &'a Config, common_name: &'a str, created: u64) -> ChainPlan<'a> {
    let not_before = created.saturating_sub(BACKDATED_SECONDS);
    let validity = ValidityPeriod { not_before, not_after: not_before + VALID_SECONDS };
    ChainPlan { organization: &config.operator, common_name, validity }
}

fn certificate_authority(
    config: &Config,
    keys: &KeyStore,
    created: u64,
    rng: &mut impl CryptoRngCore,
) -> Result<CertificateAuthority, MaterialError> {
    let (root_key, key) = (keys.p256("ca-root", rng)?, keys.p256("ca", rng)?);
    let path = config.store.join("ca.pem");
    if let Some([certificate, root]) = read_chain(&path)? {
        return Ok(CertificateAuthority::open(key, certificate, root)?);
    }
    let serials = [Serial::draw(rng), Serial::draw(rng)];
    let plan = plan(config, "sigveil certificate authority", created);
    let ca = CertificateAuthority::create(&root_key, key, &plan, serials)?;
    write_chain(&path, &[ca.certificate(), ca.root()])?;
    Ok(ca)
}

fn timestamp_authority(
    config: &Config,
    keys: &KeyStore,
    created: u64,
    rng: &mut impl CryptoRngCore,
) -> Result<TimestampAuthority, MaterialError> {
    let (root_key, key) = (keys.p256("tsa-root", rng)?, keys.p256("tsa", rng)?);
    let path = config.store.join("tsa.pem");
    let chain = match read_chain(&path)? {
        Some(chain) => chain,
        None => {
            let serials = [Serial::draw(rng), Serial::draw(rng)];
            let plan = plan(config, "sigveil timestamp authority", created);
            let chain = create_timestamp_chain(&root_key, &key, &plan, serials)?;
            write_chain(&path, &[&chain[0], &chain[1]])?;
            chain
        }
    };
    Ok(TimestampAuthority::open(key, chain)?)
}

fn vrf_key(keys: &KeyStore, rng: &mut impl CryptoRngCore) -> Result<VrfKey, MaterialError> {
    let path = keys.path("vrf", "hex");
    let text =
        keys.text(&path, || Zeroizing::new(hex::encode(VrfKey::generate(rng).to_bytes().as_slice())))?;
    let bytes = Zeroizing::new(hex::decode(text.trim()).map_err(|_| MaterialError::Damaged(path.clone()))?);
    VrfKey::from_bytes(&bytes).map_err(|_| MaterialError::Damaged(path))
}

/// Both certificates of a chain file; none if it is not there yet.
fn read_chain(path: &Path) -> Result<Option<[CertificateDer; 2]>, MaterialError> {
    const END: &str = "-----END CERTIFICATE-----\n";
    if !path.exists() {
        return Ok(None);
    }
    let text = files::read_text(path, files::JSON_LIMIT)?;
    let damaged = || MaterialError::Damaged(path.to_owned());
    let certificates: Result<Vec<_>, _> = text.split_inclusive(END).map(CertificateDer::from_pem).collect();
    let chain: [CertificateDer; 2] = certificates?.try_into().map_err(|_| damaged())?;
    Ok(Some(chain))
}

fn write_chain(path: &Path, chain: &[&CertificateDer]) -> Result<(), FileError> {
    let text: String = chain.iter().map(|certificate| certificate.to_pem()).collect();
    files::write(path, text.as_bytes())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failed expectation is the test's verdict")]
mod tests {
    use super::*;
    use rand_chacha::ChaCha20Rng;
    use rand_chacha::rand_core::SeedableRng;

    #[test]
    fn material_is_made_once_and_kept() {
        let folder = tempfile::tempdir().unwrap();
        let config = Config { store: folder.path().join("store"), ..Config::embedded() };
        files::make_folder(&config.store).unwrap();
        let first = Material::open(&config, 1_800_000_000, &mut ChaCha20Rng::seed_from_u64(1)).unwrap();
        let again = Material::open(&config, 1_900_000_000, &mut ChaCha20Rng::seed_from_u64(2)).unwrap();
        assert_eq!(first.ca.certificate(), again.ca.certificate());
        assert_eq!(first.tsa.chain(), again.tsa.chain());
        assert_eq!(first.rekor.public(), again.rekor.public());
        assert_eq!(first.vrf.public_key(), again.vrf.public_key());
        assert_eq!(first.issuer, again.issuer);
    }

    #[test]
    fn a_damaged_key_is_refused_and_not_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let config = Config { store: folder.path().to_owned(), embedded_issuer: false, ..Config::embedded() };
        let mut rng = ChaCha20Rng::seed_from_u64(1);
        Material::open(&config, 1_800_000_000, &mut rng).unwrap();
        std::fs::write(folder.path().join("keys/vrf.hex"), "00").unwrap();
        let error = Material::open(&config, 1_800_000_000, &mut rng).err().unwrap();
        assert_eq!(error.reason(), "store-damaged");
    }
}
