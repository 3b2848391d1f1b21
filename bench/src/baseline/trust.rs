//! Keys and trust files of the real servers: what stock clients need to sign against them and to verify.

use std::path::Path;

use anyhow::{Context as _, ensure};
use p256::pkcs8::{EncodePrivateKey as _, EncodePublicKey as _};
use rand_core::OsRng;
use sha2::{Digest as _, Sha256};
use sigveil::files;
use sigveil::stock::{
    Authority, KeyDetails, Log, RootContents, Services, TrustedRoot, client_trust_config, signing_config,
};
use sigveil_log::note::NoteSigner;
use sigveil_zk_ca::authority::{CertificateAuthority, ChainPlan, ValidityPeriod};
use sigveil_zk_ca::profile::Serial;

use super::servers::Served;
use super::stack::Stack;
use crate::said;

const ORGANIZATION: &str = "sigveil-bench";
const HOUR: u64 = 3_600;
const YEAR: u64 = 366 * 86_400;

/// Where a stock client signs, and with which files.
#[derive(Clone, Debug)]
pub(crate) struct Trusted {
    /// The services, as signing configurations name them.
    pub(crate) services: Services,
    /// trusted_root.json, signing_config.json and trust_config.json are here.
    pub(crate) folder: std::path::PathBuf,
}

impl Stack {
    /// Makes the authority's chain, before Fulcio and the CT log start: root, and an intermediate for code signing.
    pub(crate) fn authority(&self) -> anyhow::Result<CertificateAuthority> {
        let (root, key) = (self.key("ca-root")?, self.key("ca")?);
        let now = sigveil::service::instance::now();
        let validity = ValidityPeriod { not_before: now - HOUR, not_after: now + YEAR };
        let plan = ChainPlan { organization: ORGANIZATION, common_name: "baseline", validity };
        let serials = [Serial::draw(&mut OsRng), Serial::draw(&mut OsRng)];
        let authority = CertificateAuthority::create(&root, key, &plan, serials)?;
        let chain = authority.certificate().to_pem() + &authority.root().to_pem();
        files::write(&self.trust().join("ca.pem"), chain.as_bytes()).map_err(said)?;
        files::write(&self.trust().join("root.pem"), authority.root().to_pem().as_bytes()).map_err(said)?;
        Ok(authority)
    }

    fn key(&self, role: &str) -> anyhow::Result<sigveil_zk_ca::key::SigningKeyP256> {
        self.keys.p256(role, &mut OsRng).map_err(said)
    }

    /// The CT log's configuration, a text protobuf with its key and the roots that it takes chains of.
    pub(super) fn ct_config(&self, tree: &str) -> anyhow::Result<String> {
        let key = self.keys.ecdsa("ct", &mut OsRng).map_err(said)?;
        let private = key.to_pkcs8_der()?;
        let public = key.verifying_key().to_public_key_der()?;
        Ok(format!(
            "config {{\n  log_id: {tree}\n  prefix: \"ct\"\n  roots_pem_file: \"{}\"\n  private_key: {{\n    \
             [type.googleapis.com/keyspb.PrivateKey] {{ der: \"{}\" }}\n  }}\n  public_key: {{ der: \"{}\" }}\n  \
             ext_key_usages: \"CodeSigning\"\n}}\n",
            self.trust().join("root.pem").display(),
            escaped(private.as_bytes()),
            escaped(public.as_bytes()),
        ))
    }

    /// Writes the trust files of these servers.
    pub(crate) fn publish(
        &self,
        issuer: &Served,
        authority: &CertificateAuthority,
        [fulcio, ct, rekor, tsa]: [&Served; 4],
    ) -> anyhow::Result<Trusted> {
        let valid_from = i64::try_from(sigveil::service::instance::now() - HOUR)?;
        let named = |common_name: &str, uri: &str, chain: Vec<Vec<u8>>| Authority {
            organization: ORGANIZATION.to_owned(),
            common_name: common_name.to_owned(),
            uri: uri.to_owned(),
            chain,
            valid_from,
        };
        let ct_key = self.keys.ecdsa("ct", &mut OsRng).map_err(said)?;
        let ct_key = ct_key.verifying_key().to_public_key_der()?.into_vec();
        let rekor_key = self.keys.ed25519("rekor2", &mut OsRng).map_err(said)?;
        let rekor_public = rekor_key.verifying_key().to_public_key_der()?.into_vec();
        let chain = [authority.certificate(), authority.root()].map(|c| c.as_bytes().to_vec()).to_vec();
        let root = TrustedRoot::build(&RootContents {
            tlogs: vec![Log {
                base_url: rekor.url.clone(),
                public_key: rekor_public,
                details: KeyDetails::Ed25519,
                key_id: NoteSigner::ed25519("localhost", rekor_key)?.public().log_id().0,
                valid_from,
            }],
            certificate_authorities: vec![named("baseline", &fulcio.url, chain)],
            ctlogs: vec![Log {
                base_url: ct.url.clone(),
                key_id: Sha256::digest(&ct_key).into(),
                public_key: ct_key,
                details: KeyDetails::EcdsaP256,
                valid_from,
            }],
            timestamp_authorities: vec![named("timestamps", &tsa.url, timestamp_chain(&tsa.url)?)],
        })?;
        let services = Services {
            ca: fulcio.url.clone(),
            oidc: issuer.url.clone(),
            rekor: rekor.url.clone(),
            tsa: format!("{}/api/v1/timestamp", tsa.url),
            operator: ORGANIZATION.to_owned(),
            valid_from,
        };
        write_files(&self.trust(), &root, &services)?;
        Ok(Trusted { services, folder: self.trust() })
    }
}

fn write_files(folder: &Path, root: &TrustedRoot, services: &Services) -> anyhow::Result<()> {
    let signing = signing_config(services)?;
    let client = client_trust_config(root, &signing);
    let write = |name: &str, text: String| files::write(&folder.join(name), text.as_bytes()).map_err(said);
    write("trusted_root.json", root.to_json())?;
    write("signing_config.json", format!("{signing:#}\n"))?;
    write("trust_config.json", format!("{client:#}\n"))
}

/// The chain that the timestamp authority made itself, DER, leaf first.
fn timestamp_chain(url: &str) -> anyhow::Result<Vec<Vec<u8>>> {
    let pem =
        reqwest::blocking::get(format!("{url}/api/v1/timestamp/certchain"))?.error_for_status()?.bytes()?;
    let chain = x509_cert::Certificate::load_pem_chain(&pem).context("the timestamp authority's chain")?;
    ensure!(!chain.is_empty(), "the timestamp authority names no chain");
    chain.iter().map(|certificate| Ok(der::Encode::to_der(certificate)?)).collect()
}

/// Bytes in a protobuf's text form.
fn escaped(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("\\x{byte:02x}")).collect()
}
