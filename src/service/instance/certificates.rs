//! The certificate log: whose chains the instance's own takes, and which one its authority asks.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use p256::ecdsa::VerifyingKey;
use p256::pkcs8::DecodePublicKey;
use sigveil_log::ct::CertificateLog as CtLog;
use sigveil_log::sct::AcceptedRoots;
use sigveil_zk_ca::authority::CertificateDer;
use sigveil_zk_ca::service::certificate_log::{CertificateLog, HttpCertificateLog};

use super::InstanceError;
use crate::files;
use crate::service::config::Config;
use crate::service::material::Material;

/// Longer than a log takes to have its checkpoint witnessed.
const TIMEOUT: Duration = Duration::from_secs(30);

/// This instance's own root, and those that the config names.
pub(super) fn roots(config: &Config, material: &Material) -> Result<AcceptedRoots, InstanceError> {
    let mut roots = vec![material.ca.root().as_bytes().to_vec()];
    for path in &config.certificate_log_roots {
        let pem = files::read_text(path, files::JSON_LIMIT)?;
        let certificate = CertificateDer::from_pem(&pem);
        let certificate = certificate.map_err(|error| refused(path, &error.to_string()))?;
        roots.push(certificate.as_bytes().to_vec());
    }
    AcceptedRoots::new(roots).map_err(|error| InstanceError::CertificateLog(error.to_string()))
}

/// The log that the authority has its certificates logged by.
pub(super) fn log(config: &Config, own: &CtLog) -> Result<Arc<dyn CertificateLog>, InstanceError> {
    let Some(outside) = &config.certificate_log else { return Ok(Arc::new(own.clone())) };
    let key = public_key(&outside.public_key)?;
    let log = HttpCertificateLog::new(&outside.url, key, TIMEOUT);
    Ok(Arc::new(log.map_err(|error| InstanceError::CertificateLog(error.to_string()))?))
}

/// A P-256 key in a PEM file.
pub(super) fn public_key(path: &Path) -> Result<VerifyingKey, InstanceError> {
    let pem = files::read_text(path, files::JSON_LIMIT)?;
    VerifyingKey::from_public_key_pem(&pem).map_err(|_| refused(path, "no P-256 public key in PEM"))
}

fn refused(path: &Path, why: &str) -> InstanceError {
    InstanceError::CertificateLog(format!("{}: {why}", path.display()))
}
