//! The owner's two keys as files: the monitoring key, which may be given to a monitor, and the opening, which may not.

use serde::{Deserialize, Serialize};
use sigveil_vrf_identity::identity::{Identity, IdentityError, Kind};
use sigveil_vrf_identity::label::Mode;
use sigveil_vrf_identity::vrf::{MonitoringKey, OpeningKey, PublicKey, VerifiedOutput};
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

/// Largest key file, bytes.
pub const LIMIT: u64 = 8 << 10;
const VERSION: u32 = 1;

/// Why a key file was not accepted.
#[derive(Debug, thiserror::Error)]
pub enum KeyFileError {
    /// It is not that format.
    #[error("the key file is malformed")]
    Malformed,
    /// It names something that is no identity.
    #[error(transparent)]
    Identity(#[from] IdentityError),
}

impl KeyFileError {
    /// The stable reason code.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Malformed => "key-file-malformed",
            Self::Identity(error) => error.reason(),
        }
    }
}

crate::failure::failures!(KeyFileError);

/// `monitoring.key`: finds every event of one identity in one mode, and opens none.
pub struct MonitoringFile {
    /// k_id.
    pub key: MonitoringKey,
    /// The VRF key it comes from.
    pub vrf_key: PublicKey,
}

#[derive(Serialize, Deserialize, Zeroize, ZeroizeOnDrop)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct MonitoringWire {
    version: u32,
    mode: String,
    monitoring_key: String,
    vrf_key: String,
}

impl MonitoringFile {
    /// The file of a verified evaluation.
    pub fn new(output: &VerifiedOutput, vrf_key: PublicKey) -> Self {
        Self { key: output.monitoring_key.clone(), vrf_key }
    }

    /// Reads the file.
    ///
    /// # Errors
    /// When it is not that format.
    pub fn parse(text: &str) -> Result<Self, KeyFileError> {
        let wire: MonitoringWire = serde_json::from_str(text).map_err(|_| KeyFileError::Malformed)?;
        let mode = Mode::from_name(&wire.mode).filter(|_| wire.version == VERSION);
        let key =
            MonitoringKey::from_bytes(mode.ok_or(KeyFileError::Malformed)?, &unhex(&wire.monitoring_key)?);
        Ok(Self { key: key.map_err(|_| KeyFileError::Malformed)?, vrf_key: point(&wire.vrf_key)? })
    }

    /// The file: JSON.
    pub fn to_json(&self) -> Zeroizing<String> {
        json(&MonitoringWire {
            version: VERSION,
            mode: self.key.mode().name().to_owned(),
            monitoring_key: hex::encode(self.key.to_bytes().as_slice()),
            vrf_key: hex::encode(self.vrf_key.to_bytes()),
        })
    }
}

/// `opening.json`: names the owner, and opens every event of that identity in one mode.
pub struct OpeningFile {
    /// Who the owner is.
    pub identity: Identity,
    /// k_open.
    pub key: OpeningKey,
    /// The VRF key it comes from.
    pub vrf_key: PublicKey,
}

#[derive(Serialize, Deserialize, Zeroize, ZeroizeOnDrop)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct OpeningWire {
    version: u32,
    issuer: String,
    kind: String,
    value: String,
    opening_key: String,
    vrf_key: String,
}

impl OpeningFile {
    /// The file of a verified evaluation.
    pub fn new(identity: Identity, output: &VerifiedOutput, vrf_key: PublicKey) -> Self {
        Self { identity, key: output.opening_key.clone(), vrf_key }
    }

    /// Reads the file.
    ///
    /// # Errors
    /// When it is not that format, or names no identity.
    pub fn parse(text: &str) -> Result<Self, KeyFileError> {
        let wire: OpeningWire = serde_json::from_str(text).map_err(|_| KeyFileError::Malformed)?;
        if wire.version != VERSION {
            return Err(KeyFileError::Malformed);
        }
        let identity = Identity::new(&wire.issuer, Kind::from_name(&wire.kind)?, &wire.value)?;
        let key = OpeningKey::from_bytes(&unhex(&wire.opening_key)?).map_err(|_| KeyFileError::Malformed)?;
        Ok(Self { identity, key, vrf_key: point(&wire.vrf_key)? })
    }

    /// The file: JSON.
    pub fn to_json(&self) -> Zeroizing<String> {
        json(&OpeningWire {
            version: VERSION,
            issuer: self.identity.issuer().to_owned(),
            kind: self.identity.kind().name().to_owned(),
            value: self.identity.value().to_owned(),
            opening_key: hex::encode(self.key.to_bytes().as_slice()),
            vrf_key: hex::encode(self.vrf_key.to_bytes()),
        })
    }
}

fn json(wire: &impl Serialize) -> Zeroizing<String> {
    let text = serde_json::to_string_pretty(wire).expect("plain data always has a JSON form");
    Zeroizing::new(text + "\n")
}

fn unhex(text: &str) -> Result<Zeroizing<Vec<u8>>, KeyFileError> {
    hex::decode(text).map(Zeroizing::new).map_err(|_| KeyFileError::Malformed)
}

fn point(text: &str) -> Result<PublicKey, KeyFileError> {
    PublicKey::from_bytes(&unhex(text)?).map_err(|_| KeyFileError::Malformed)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failed expectation is the test's verdict")]
mod tests {
    use super::*;
    use rand_chacha::ChaCha20Rng;
    use rand_chacha::rand_core::SeedableRng;
    use sigveil_vrf_identity::vrf::SecretKey;

    #[test]
    fn both_files_are_read_back_and_strangers_refused() {
        let mut rng = ChaCha20Rng::seed_from_u64(1);
        let secret = SecretKey::generate(&mut rng);
        let identity = Identity::new("https://issuer.example", Kind::Email, "a@example.com").unwrap();
        let evaluation = secret.evaluate(Mode::Open, &identity.idf(), &mut rng).unwrap();
        let output = evaluation.verify(&secret.public_key(), Mode::Open, &identity.idf()).unwrap();
        let monitoring = MonitoringFile::new(&output, secret.public_key()).to_json();
        let opening = OpeningFile::new(identity.clone(), &output, secret.public_key()).to_json();
        assert_eq!(
            *MonitoringFile::parse(&monitoring).unwrap().key.to_bytes(),
            *output.monitoring_key.to_bytes()
        );
        let read = OpeningFile::parse(&opening).unwrap();
        assert_eq!(read.identity, identity);
        assert_eq!(*read.key.to_bytes(), *output.opening_key.to_bytes());
        assert!(MonitoringFile::parse(&opening).is_err() && OpeningFile::parse(&monitoring).is_err());
        assert!(!monitoring.contains("example.com"), "a delegated monitor does not learn whom it watches");
    }
}
