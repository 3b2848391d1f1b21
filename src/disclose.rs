//! Making a disclosure for an existing bundle (protocol.md §4.4).

use sigveil_vrf_identity::commitment::{CertificateFacts, Rho, Serial};
use sigveil_vrf_identity::disclosure::{DisclosureError, OpenDisclosure, Subject};
use sigveil_zk_ca::profile::CertificateView;

use crate::keyfile::OpeningFile;

/// Opens a certificate of mode open: the opening's randomness is recomputed from the owner's opening key.
///
/// # Errors
/// When the certificate is not this owner's.
pub fn open(
    certificate: &CertificateView,
    artifact: [u8; 32],
    opening: &OpeningFile,
    context: String,
) -> Result<OpenDisclosure, DisclosureError> {
    let facts = CertificateFacts {
        serial: Serial(*certificate.serial().as_bytes()),
        key_hash: certificate.key().key_hash(),
        time: certificate.time(),
    };
    let rho = Rho::derive(&opening.key, &facts);
    let subject = Subject { certificate: certificate.digest(), artifact, context };
    OpenDisclosure::new(subject, opening.identity.clone(), rho, certificate.commitment())
}
