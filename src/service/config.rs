//! The one config file of `serve`: TOML, every member documented where it is printed.

mod clients;
mod error;
mod verifier_key;
mod witness;

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use sigveil_circuits::token::{Class, ModulusSize, SizeClass};

use crate::failure::Failure;
use crate::files;
use crate::trust::Scheme;
pub use clients::ClientsConfig;
pub use error::ConfigError;
pub(crate) use error::from_toml;
pub use verifier_key::{LogKey, WitnessKey};
pub use witness::WitnessConfig;
pub(crate) use witness::check_witnesses;

/// The defaults, with a comment on every member: what `serve --print-config` prints. A test holds it to [`Config`].
pub const TEMPLATE: &str = include_str!("config.toml");

/// What one process runs, and where.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Folder of the roles' data; their keys are in `keys` below it.
    pub store: PathBuf,
    /// Folder that gets `trusted_root.json` and the other public files.
    pub publish: PathBuf,
    /// Name of the operator, in certificates and in the signing configuration.
    pub operator: String,
    /// Address to listen on.
    pub listen: String,
    /// Host name in the URLs that clients are given; also the signature log's origin.
    pub host: String,
    /// A port for each role; 0 takes a free one, which is then kept in the store.
    pub ports: Ports,
    /// Size classes of the `token` circuit to prove with, bytes of signing input.
    pub size_classes: Vec<usize>,
    /// Bits of the issuers' moduli to prove with, each with every size class.
    #[serde(default = "rsa2048")]
    pub modulus_bits: Vec<usize>,
    /// The label parameters.
    pub labels: Labels,
    /// What each client may take of each role.
    #[serde(default)]
    pub clients: ClientsConfig,
    /// What certificates say of who signs, and whether it is proven (protocol.md §6): clear, hashed or zk.
    #[serde(default = "zk")]
    pub scheme: Scheme,
    /// Of scheme zk: whether proofs are made before a certificate is issued or after, unless a request says.
    #[serde(default)]
    pub proofs: ProofTiming,
    /// Seconds after a certificate's end by which witnesses must have seen its receipt; 0: no proofs are deferred.
    #[serde(default)]
    pub deferral_delay_seconds: u64,
    /// Seconds after a certificate's end by which witnesses must have seen its log entry (D of protocol.md §5.3).
    pub witness_delay_seconds: u64,
    /// Run the embedded identity provider, which gives anybody any token: loopback and development only.
    pub embedded_issuer: bool,
    /// PEM files: roots of other authorities whose chains this instance's certificate log takes too.
    #[serde(default)]
    pub certificate_log_roots: Vec<PathBuf>,
    /// Others' logs whose checkpoints this instance's witness cosigns.
    #[serde(default)]
    pub witness_for: Vec<LogKey>,
    /// How many witnesses, of this instance's own and those elsewhere, must have cosigned what its logs publish.
    #[serde(default = "one")]
    pub cosignatures: usize,
    /// Witnesses elsewhere that its logs ask beside its own.
    #[serde(default, rename = "witness", skip_serializing_if = "Vec::is_empty")]
    pub witnesses: Vec<WitnessConfig>,
    /// A certificate log elsewhere, which the certificate authority uses in place of this instance's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub certificate_log: Option<CertificateLogConfig>,
    /// Whose tokens the certificate authority takes.
    #[serde(default, rename = "issuer")]
    pub issuers: Vec<IssuerConfig>,
}

fn zk() -> Scheme {
    Scheme::Zk
}

fn one() -> usize {
    1
}

/// When a certificate's proofs are made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ProofTiming {
    /// Before it is issued: it carries them.
    #[default]
    Inline,
    /// After: they follow in the signature log.
    Deferred,
}

/// A certificate log elsewhere.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CertificateLogConfig {
    /// Its submission prefix; `/ct/v1/add-pre-chain` is under it.
    pub url: String,
    /// PEM file of its P-256 public key, which its SCTs must verify under.
    pub public_key: PathBuf,
}

fn rsa2048() -> Vec<usize> {
    vec![2048]
}

/// Every size class with every modulus.
///
/// # Errors
/// Which of them does not exist, for people.
pub fn classes(size_classes: &[usize], modulus_bits: &[usize]) -> Result<Vec<Class>, String> {
    let size = |bytes: &usize| {
        let unknown = || format!("{bytes} is no size class: 768, 1024, 1536, 2048 or 2560");
        SizeClass::from_bytes(*bytes).ok_or_else(unknown)
    };
    let modulus = |bits: &usize| {
        let unknown = || format!("no circuit takes a modulus of {bits} bits: 2048, 3072 or 4096");
        ModulusSize::from_bits(*bits).ok_or_else(unknown)
    };
    let sizes: Vec<_> = size_classes.iter().map(size).collect::<Result<_, _>>()?;
    let moduli: Vec<_> = modulus_bits.iter().map(modulus).collect::<Result<_, _>>()?;
    let classes =
        moduli.into_iter().flat_map(|modulus| sizes.iter().map(move |size| Class { size: *size, modulus }));
    Ok(classes.collect())
}

/// A port for each role.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ports {
    /// The embedded identity provider.
    pub issuer: u16,
    /// Certificate authority.
    pub ca: u16,
    /// Timestamp authority.
    pub tsa: u16,
    /// Signature log.
    pub rekor: u16,
    /// Certificate log.
    pub ct: u16,
    /// Index.
    pub index: u16,
}

/// How labels are cut (protocol.md §4.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Labels {
    /// Slots per epoch.
    pub slots: u32,
    /// Seconds per epoch.
    pub epoch_seconds: u64,
}

/// One identity provider.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IssuerConfig {
    /// Its URL, the `iss` of its tokens; `embedded` stands for the embedded one.
    pub url: String,
    /// The audience its tokens must name.
    pub audience: String,
    /// Which claim is the identity: email, sub, workflow, …
    pub kind: String,
    /// How tokens are bound to a key: none or nonce.
    pub binding: String,
    /// The profile of requests that name none.
    pub default_profile: String,
    /// The profiles it may have.
    pub profiles: Vec<String>,
    /// Its key set as a file; without it, discovery.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jwks: Option<PathBuf>,
    /// With discovery: the exact header of its tokens, with `{kid}` and perhaps `{x5t}` for what the key has there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub header: Option<String>,
    /// With `jwks`: the exact headers of its tokens, as JSON text; the key id in each names its key.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub headers: Vec<String>,
}

impl Config {
    /// Parses a config file.
    ///
    /// # Errors
    /// When a member is missing, unknown or of another type, or members contradict each other.
    pub fn from_toml(text: &str) -> Result<Self, ConfigError> {
        let config: Self = from_toml(text)?;
        config.check_scheme()?;
        config.check_witness_for()?;
        config.check_cosignatures()?;
        Ok(config)
    }

    fn check_scheme(&self) -> Result<(), ConfigError> {
        let wrong = |what: &str| Err(ConfigError::Malformed(what.to_owned()));
        match (self.scheme, self.proofs, self.deferral_delay_seconds) {
            (Scheme::ZkBlind, ..) => Err(ConfigError::NotBuilt("blind issuance")),
            (Scheme::Zk, ProofTiming::Deferred, 0) => wrong("deferred proofs need deferral_delay_seconds"),
            (Scheme::Clear | Scheme::Hashed, ProofTiming::Deferred, _)
            | (Scheme::Clear | Scheme::Hashed, _, 1..) => wrong("only scheme zk has proofs to defer"),
            (Scheme::Clear, ..) if self.issuers.iter().any(|issuer| issuer.kind != "email") => {
                wrong("scheme clear certifies e-mail addresses only")
            }
            _ => Ok(()),
        }
    }

    /// The witness knows a log by its name, and this instance's by theirs.
    fn check_witness_for(&self) -> Result<(), ConfigError> {
        let ours = |name: &str| {
            name.strip_prefix(&self.host).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        match self.witness_for.iter().map(|key| key.note_key().name()).find(|name| ours(name)) {
            Some(name) => Err(ConfigError::Malformed(format!("{name} is a log of this host"))),
            None => Ok(()),
        }
    }

    /// Verifiers demand as many witnesses as the logs do, and of none nothing would follow.
    fn check_cosignatures(&self) -> Result<(), ConfigError> {
        if self.cosignatures == 0 {
            return Err(ConfigError::Malformed("cosignatures are at least one".to_owned()));
        }
        check_witnesses(&self.host, self.cosignatures, 1, &self.witnesses)
    }

    /// Reads a config file; relative paths in it start at the file's folder.
    ///
    /// # Errors
    /// When it cannot be read or is not a config.
    pub fn read(path: &Path) -> Result<Self, Failure> {
        let mut config = Self::from_toml(&files::read_text(path, files::JSON_LIMIT)?)?;
        let folder = path.parent().unwrap_or(Path::new(""));
        config.store = folder.join(&config.store);
        config.publish = folder.join(&config.publish);
        let jwks = config.issuers.iter_mut().filter_map(|issuer| issuer.jwks.as_mut());
        let key = config.certificate_log.iter_mut().map(|log| &mut log.public_key);
        for path in jwks.chain(key).chain(&mut config.certificate_log_roots) {
            *path = folder.join(&path);
        }
        Ok(config)
    }

    /// The classes: every size class with every modulus.
    ///
    /// # Errors
    /// When one does not exist.
    pub fn classes(&self) -> Result<Vec<Class>, ConfigError> {
        classes(&self.size_classes, &self.modulus_bits).map_err(ConfigError::Malformed)
    }

    /// The defaults, with everything embedded.
    pub fn embedded() -> Self {
        Self::from_toml(TEMPLATE).expect("the template is tested to parse")
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failed expectation is the test's verdict")]
mod tests {
    use super::*;
    use sigveil_log::note::NoteKey;

    #[test]
    fn the_printed_template_names_every_member_and_nothing_else() {
        let config = Config::from_toml(TEMPLATE).unwrap();
        let again: toml::Table = toml::from_str(&toml::to_string(&config).unwrap()).unwrap();
        let template: toml::Table = toml::from_str(TEMPLATE).unwrap();
        assert_eq!(again, template);
    }

    #[test]
    fn a_certificate_log_elsewhere_is_named_beside_the_config() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("serve.toml");
        let roots = r#"certificate_log_roots = ["their-root.pem"]"#;
        let log = "[certificate_log]\nurl = \"https://ct.example/log\"\npublic_key = \"ct.pem\"\n";
        let text = TEMPLATE.replace("certificate_log_roots = []", roots);
        std::fs::write(&path, format!("{text}\n{log}")).unwrap();
        let config = Config::read(&path).unwrap();
        assert_eq!(config.certificate_log_roots, [folder.path().join("their-root.pem")]);
        let log = config.certificate_log.unwrap();
        assert_eq!(
            (log.url.as_str(), log.public_key),
            ("https://ct.example/log", folder.path().join("ct.pem"))
        );
    }

    #[test]
    fn schemes_and_proofs_that_do_not_fit_are_refused() {
        let with = |changes: &[(&str, &str)]| {
            let text = changes.iter().fold(TEMPLATE.to_owned(), |text, (from, to)| {
                assert!(text.contains(from));
                text.replacen(from, to, 1)
            });
            Config::from_toml(&text).map_or_else(|error| error.reason(), |_| "accepted")
        };
        let scheme = |name| [("scheme = \"zk\"", name)];
        assert_eq!(with(&scheme("scheme = \"clear\"")), "accepted");
        assert_eq!(with(&scheme("scheme = \"hashed\"")), "accepted");
        assert_eq!(with(&scheme("scheme = \"zk-blind\"")), "not-built");
        assert_eq!(with(&scheme("scheme = \"other\"")), "config-malformed");
        let deferred = ("proofs = \"inline\"", "proofs = \"deferred\"");
        let delay = ("deferral_delay_seconds = 0", "deferral_delay_seconds = 60");
        assert_eq!(with(&[deferred]), "config-malformed");
        assert_eq!(with(&[deferred, delay]), "accepted");
        let clear = scheme("scheme = \"clear\"")[0];
        assert_eq!(with(&[clear, delay]), "config-malformed");
        assert_eq!(with(&[clear, ("kind = \"email\"", "kind = \"sub\"")]), "config-malformed");
    }

    #[test]
    fn the_witness_cosigns_logs_of_others_by_keys_that_are_some() {
        let with = |key: &str, host: &str| {
            let text = TEMPLATE.replace("witness_for = []", &format!("witness_for = [{key:?}]"));
            Config::from_toml(&text.replace("host = \"127.0.0.1\"", &format!("host = {host:?}")))
        };
        let key = "log.example+814a2008+AddamAGCsQq31Uv+08lkBzoO4XLz2qYjJa8CGmj3B1Ea";
        let known = with(key, "127.0.0.1").unwrap().witness_for.remove(0);
        assert_eq!(known.note_key().encode(), key);
        let refused = |key: &str, host| with(key, host).unwrap_err().to_string();
        assert!(refused("log.example", "127.0.0.1").contains("no verifier key"));
        assert!(refused(key, "log.example").contains("of this host"));
        let public = ed25519_dalek::SigningKey::from_bytes(&[1; 32]).verifying_key();
        let witness = NoteKey::cosignature("log.example", public).unwrap().encode();
        assert!(refused(&witness, "127.0.0.1").contains("not a log's"));
        let named = |name: &str| NoteKey::ed25519(name, public).unwrap().encode();
        assert!(refused(&named("log.example/index"), "log.example").contains("of this host"));
        assert!(with(&named("log.example.org"), "log.example").is_ok());
    }

    #[test]
    fn witnesses_elsewhere_are_as_the_templates_comments_have_them() {
        let at = TEMPLATE.find("#   [[witness]]").unwrap();
        let offered = TEMPLATE[at..].lines().map_while(|line| line.strip_prefix("#   "));
        let witness = offered.collect::<Vec<_>>().join("\n");
        let with = |cosignatures: usize, witnesses: &str| {
            let demanded = format!("cosignatures = {cosignatures}");
            Config::from_toml(&format!("{}\n{witnesses}", TEMPLATE.replace("cosignatures = 1", &demanded)))
        };
        let config = with(2, &witness).unwrap();
        assert_eq!(config.witnesses[0].key.note_key().name(), "witness.example");
        let refused = |cosignatures, witnesses: &str| with(cosignatures, witnesses).unwrap_err().to_string();
        assert!(refused(3, &witness).contains("fewer witnesses"));
        assert!(refused(0, &witness).contains("at least one"));
        assert!(refused(2, &format!("{witness}\n{witness}")).contains("twice"));
    }

    #[test]
    fn an_unknown_member_is_refused_without_its_value() {
        let text = format!("password = \"hunter2\"\n{TEMPLATE}");
        let refused = Config::from_toml(&text).unwrap_err();
        assert_eq!(refused.reason(), "config-malformed");
        assert!(!refused.to_string().contains("hunter2"), "{refused}");
    }
}
