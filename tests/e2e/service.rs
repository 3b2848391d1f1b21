//! A served instance, used as people use it: by our own client, bound to its key, and by a stock client that signs.

use std::fs::OpenOptions;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::{Value, json};
use sigveil::service::config::{Config, Ports};
use sigveil::trust::Scheme;

use crate::alteration::Altered;
use crate::leak;
use crate::stock_clients::{available, sigstore_python};
use crate::support::{copy, demo, files_below, run_json, scratch, sigveil, terminate};

/// An instance's folder, with its roles running.
pub struct Served {
    /// The folder.
    pub dir: PathBuf,
    child: Child,
    folder: Option<tempfile::TempDir>,
}

impl Served {
    /// A copy of the demo's.
    fn start() -> Self {
        let folder = tempfile::tempdir_in(scratch("service")).unwrap();
        let dir = folder.path().join("instance");
        copy(&demo().dir, &dir);
        Self::run(dir, folder)
    }

    /// One with everything embedded, on free ports, of the template's config but for what `change` does to it.
    pub fn embedded(test: &str, change: impl FnOnce(&mut Config)) -> Self {
        let folder = tempfile::tempdir_in(scratch(test)).unwrap();
        let dir = folder.path().join("instance");
        configure(&dir, change);
        Self::run(dir, folder)
    }

    /// The one in `dir`, which lies in `folder`.
    pub fn run(dir: PathBuf, folder: tempfile::TempDir) -> Self {
        let config = dir.join("store/serve.toml");
        let said = OpenOptions::new().create(true).append(true).open(dir.with_extension("said")).unwrap();
        let child = sigveil(["serve", "--insecure-dev-keys", "--config", config.to_str().unwrap()])
            .args(["--log-format", "json", "--log-filter", "error,sigveil=trace", "--quiet"])
            .stdout(Stdio::null())
            .stderr(said)
            .spawn()
            .unwrap();
        let served = Self { dir, child, folder: Some(folder) };
        for _ in 0..600 {
            // A first start chooses its ports.
            let begun = served.dir.join("store/instance.json").exists();
            let healthy = || reqwest::blocking::get(format!("{}/healthz", served.url("index")));
            if begun && healthy().is_ok_and(|answer| answer.status().is_success()) {
                return served;
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        panic!("the instance did not become ready");
    }

    /// Has it end as its owner does, and begins it again.
    pub fn restart(mut self) -> Self {
        let status = terminate(&mut self.child);
        assert!(status.success(), "{status}");
        Self::run(self.dir.clone(), self.folder.take().unwrap())
    }

    /// Kills it and begins it again.
    fn kill_and_restart(mut self) -> Self {
        let _ = self.child.kill();
        let _ = self.child.wait();
        Self::run(self.dir.clone(), self.folder.take().unwrap())
    }

    /// What it has said of itself.
    fn said(&self) -> String {
        std::fs::read_to_string(self.dir.with_extension("said")).unwrap()
    }

    /// Where a role answers.
    pub fn url(&self, role: &str) -> String {
        let beginning: Value =
            serde_json::from_slice(&std::fs::read(self.dir.join("store/instance.json")).unwrap()).unwrap();
        format!("http://127.0.0.1:{}", beginning["ports"][role])
    }

    /// A token of the embedded issuer.
    pub fn token(&self, email: &str) -> String {
        let request = json!({"email": email, "audience": "sigstore"});
        let url = format!("{}/token", self.url("issuer"));
        let answer: Value =
            reqwest::blocking::Client::new().post(url).json(&request).send().unwrap().json().unwrap();
        answer["id_token"].as_str().unwrap().to_owned()
    }

    /// A file in the folder.
    pub fn path(&self, name: &str) -> String {
        self.dir.join(name).to_str().unwrap().to_owned()
    }

    /// A JSON file in the folder.
    pub fn json(&self, name: &str) -> Value {
        serde_json::from_slice(&std::fs::read(self.dir.join(name)).unwrap()).unwrap()
    }

    /// `verify` of a file by the bundle beside it.
    pub fn verify(&self, file: &Path, san: &str, issuer: &str, extra: &[&str]) -> (i32, Value) {
        let beside = |extension: &str| format!("{}.{extension}", file.display());
        let mut arguments = vec!["verify".to_owned(), file.to_str().unwrap().to_owned()];
        arguments.extend(["--bundle".into(), beside("sigstore.json")]);
        arguments.extend(["--trusted-root".into(), self.path("trusted_root.json")]);
        arguments.extend(["--identity".into(), san.to_owned(), "--issuer".into(), issuer.to_owned()]);
        arguments.extend(extra.iter().map(ToString::to_string));
        run_json(arguments)
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Writes the config of an instance in `dir`; its path.
pub fn configure(dir: &Path, change: impl FnOnce(&mut Config)) -> String {
    let mut config = Config::embedded();
    (config.store, config.publish) = (".".into(), "..".into());
    config.ports = Ports { issuer: 0, ca: 0, tsa: 0, rekor: 0, ct: 0, index: 0 };
    change(&mut config);
    let store = dir.join("store");
    std::fs::create_dir_all(&store).unwrap();
    let path = store.join("serve.toml");
    std::fs::write(&path, toml::to_string(&config).unwrap()).unwrap();
    path.to_str().unwrap().to_owned()
}

/// The classes that the demo has keys for.
pub fn demo_classes() -> Vec<usize> {
    Config::read(&demo().path("store/serve.toml")).unwrap().size_classes
}

#[test]
fn a_served_instance_signs_for_our_client_and_for_a_stock_one() {
    let served = Served::start();
    // Another process on the same store is refused.
    let config = served.path("store/serve.toml");
    let (status, answer) = run_json(["serve", "--insecure-dev-keys", "--config", &config]);
    assert_eq!((status, answer["reason"].as_str()), (3, Some("store-in-use")));
    // Nor does it serve with the demo's keys without being told to.
    let (status, answer) = run_json(["serve", "--config", &config]);
    assert_eq!((status, answer["reason"].as_str()), (1, Some("development-keys")));
    a_second_demo_changes_nothing(&served);
    bound_signature(&served);
    owner(&served);
    if available("python3") {
        stock_signature(&served);
    }
    redact_by_url(&served);
    what_it_says_names_nobody(&served);
}

#[test]
fn an_instance_removes_what_a_killed_one_left_among_its_keys() {
    let instance = Served::embedded("service-leftovers", |config| config.scheme = Scheme::Hashed);
    let partial = instance.dir.join("store/keys/.sigveil-partial-abc");
    std::fs::write(&partial, "half").unwrap();
    let _instance = instance.kill_and_restart();
    assert!(!partial.exists());
}

/// Each line is an object with its time, level and module; all that it says is in them, and nobody's address.
fn what_it_says_names_nobody(served: &Served) {
    let issuer = served.url("issuer");
    // What is refused is said too.
    let refused = json!({"credentials": {"oidcIdentityToken": served.token("dora@example.com") + "x"}});
    let url = format!("{}/api/v2/signingCert", served.url("ca"));
    let answer = reqwest::blocking::Client::new().post(url).json(&refused).send().unwrap();
    assert!(answer.status().is_client_error());
    let said = served.said();
    let events: Vec<Value> = said.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(
        events.iter().any(|event| event["message"] == "serving" && event["rekor"] == served.url("rekor"))
    );
    let whole = ["timestamp", "level", "target", "message"];
    assert!(events.iter().all(|event| whole.iter().all(|member| event[member].is_string())), "{said}");
    for email in ["bob@example.com", "carol@example.com", "dora@example.com"] {
        assert_eq!(leak::found(said.as_bytes(), email, &issuer), None);
    }
    assert!(!said.contains("eyJ"), "a token");
}

/// Somebody who has no more than the URLs and the authority's key withdraws the demo's entry.
fn redact_by_url(served: &Served) {
    let (url, root) = (served.url("index"), served.path("trusted_root.json"));
    let place = ["--url", &url, "--trusted-root", &root];
    let audit = || run_json([&["redact", "audit"][..], &place].concat());
    let (status, before) = audit();
    assert_eq!(status, 0, "{before}");
    let (request, signed) = (served.path("request.json"), served.path("signed.json"));
    let ask = ["redact", "request", "--index", "0", "--out", &request];
    let (status, answer) = run_json([&ask[..], &place].concat());
    assert_eq!(status, 0, "{answer}");
    let key = served.path("store/keys/redaction.pem");
    let approve =
        ["redact", "approve", "--url", &url, "--key", &key, "--request", &request, "--out", &signed];
    let (status, answer) = run_json(approve);
    assert_eq!(status, 0, "{answer}");
    let rekor = served.url("rekor");
    // The endpoint refuses as its face does: with a problem document.
    let (client, endpoint) = (reqwest::blocking::Client::new(), format!("{rekor}/api/sigveil/v1/redactions"));
    for (request, status, reason) in [
        (client.get(&endpoint), 405, "method-not-allowed"),
        (client.post(&endpoint).body("{}"), 400, "redaction-request-malformed"),
        (client.post(&endpoint).body(vec![b' '; 300 << 10]), 413, "request-too-large"),
    ] {
        let answer = request.send().unwrap();
        assert_eq!(
            (answer.status().as_u16(), answer.json::<Value>().unwrap()["reason"].as_str()),
            (status, Some(reason))
        );
    }
    let (status, answer) = run_json(["redact", "apply", "--url", &rekor, "--request", &signed]);
    assert_eq!((status, answer["index"].as_u64()), (0, Some(0)), "{answer}");
    let (status, after) = audit();
    assert_eq!(status, 0, "{after}");
    assert_eq!(after["withheld"].as_u64(), before["withheld"].as_u64().map(|count| count + 1));
}

/// A demo in a folder in use is refused before it touches a file, even its own artifact.
fn a_second_demo_changes_nothing(served: &Served) {
    let contents = || {
        let mut files = files_below(&served.dir);
        // The roles go on working meanwhile, in their own folder.
        files.retain(|(path, _)| !path.starts_with(served.dir.join("store")));
        files.sort();
        files
    };
    let file = served.dir.join("another");
    std::fs::write(&file, b"another file").unwrap();
    let before = contents();
    let (status, answer) = run_json(["demo", "--dir", &served.path(""), "--file", file.to_str().unwrap()]);
    assert_eq!((status, answer["reason"].as_str()), (3, Some("store-in-use")), "{answer}");
    assert!(contents() == before, "the folder was changed");
}

/// Our client asks for a token that is bound to the key, and discloses.
fn bound_signature(served: &Served) {
    let file = served.dir.join("release.tar");
    std::fs::write(&file, vec![7; 100_000]).unwrap();
    let config = served.path("trust_config.json");
    let sign = ["sign", file.to_str().unwrap(), "--trust-config", &config, "--email", "bob@example.com"];
    let (status, answer) = run_json([&sign[..], &["--disclose", "--profile", "unlinkable"]].concat());
    assert_eq!(status, 0, "{answer}");
    let signed = &answer["signed"][0];
    let (san, issuer) = (signed["san"].as_str().unwrap(), signed["issuer"].as_str().unwrap());
    assert!(san.starts_with("urn:sigveil:open:unlinkable:"));
    let sigveil = format!("{}.sigveil.json", file.display());
    let disclosure = format!("{}.disclosure.json", file.display());
    let extra = [
        "--sigveil",
        &sigveil,
        "--require",
        "proof,search,witness=1",
        "--disclosure",
        &disclosure,
        "--claim-value",
        "bob@example.com",
    ];
    let (status, answer) = served.verify(&file, san, issuer, &extra);
    assert_eq!(status, 0, "{answer}");
    // The log has grown since the demo, so this bundle's proof has hashes.
    let companion = std::fs::read_to_string(&sigveil).unwrap();
    let altered = Altered::new(&served.dir, &file, Some(&companion));
    altered.refuses_every_alteration(&served.json("release.tar.sigstore.json"));
    // What was disclosed is not replaced unless somebody says so, and nothing is signed that could not be disclosed.
    let bundle = || std::fs::read(format!("{}.sigstore.json", file.display())).unwrap();
    let before = bundle();
    let (status, answer) = run_json([&sign[..], &["--disclose"]].concat());
    assert_eq!((status, answer["reason"].as_str()), (1, Some("secret-exists")), "{answer}");
    assert!(bundle() == before, "a signature was made");
    let (status, answer) = run_json([&sign[..], &["--disclose", "--force"]].concat());
    assert_eq!(status, 0, "{answer}");
    assert!(bundle() != before);
}

/// The owner logs in, and finds the event over the network.
fn owner(served: &Served) {
    let token = served.dir.join("bob.jwt");
    std::fs::write(&token, served.token("bob@example.com")).unwrap();
    let (config, key, opening) =
        (served.path("trust_config.json"), served.path("bob.key"), served.path("bob.json"));
    let token = token.to_str().unwrap();
    let login = ["identity", "login", "--trust-config", &config, "--token", token, "--key", &key];
    let (status, answer) = run_json([&login[..], &["--opening", &opening]].concat());
    assert_eq!(status, 0, "{answer}");
    // Either file alone stops a second login, before the other is written.
    for (kept, other) in [(&key, &opening), (&opening, &key)] {
        std::fs::remove_file(other).unwrap();
        let (status, answer) = run_json([&login[..], &["--opening", &opening]].concat());
        assert_eq!((status, answer["reason"].as_str()), (1, Some("secret-exists")), "{answer}");
        assert!(!Path::new(other).exists() && Path::new(kept).exists());
        let (status, answer) = run_json([&login[..], &["--opening", &opening, "--force"]].concat());
        assert_eq!(status, 0, "{answer}");
    }
    let (url, root) = (served.url("index"), served.path("trusted_root.json"));
    // From a copy of the logs: under every label, the unlinkable one too, and nobody is asked for any of them.
    let memory = served.path("bob.memory");
    let monitor = ["monitor", "--key", &key, "--url", &url, "--trusted-root", &root, "--memory", &memory];
    let (status, answer) = run_json(monitor);
    assert_eq!(status, 0, "{answer}");
    let events = answer["events"].as_array().unwrap();
    for profile in ["urn:sigveil:open:unlinkable:", "urn:sigveil:open:stable:"] {
        assert!(
            events.iter().any(|e| e["san"].as_str().unwrap().starts_with(profile)),
            "{profile}: {answer}"
        );
    }
    assert_eq!(answer.get("note"), None);
    stable_label_alone(served, &key, &url);
    let (status, label) = run_json(["identity", "label", "--key", &key, "--trusted-root", &root]);
    assert_eq!(status, 0, "{label}");
    let key = format!("label:{}", label["san"].as_str().unwrap());
    let (status, answer) = run_json(["search", "--url", &url, "--trusted-root", &root, &key]);
    assert_eq!((status, answer["verified"].as_bool()), (0, Some(true)), "{answer}");
    // The second signing above was by the issuer's default profile, and stands under the stable label.
    assert_eq!(answer["present"], true);
}

/// Under a trust root that the index's leaves do not name it cannot be recomputed: then one label is asked for, and
/// what is remembered of it goes on; an index that falls back behind what copies have shown is told of.
fn stable_label_alone(served: &Served, key: &str, url: &str) {
    let folder = tempfile::tempdir_in(scratch("service")).unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let mut section = served.json("trusted_root.sigveil.json");
    section["witnessDelaySeconds"] = 1.into();
    std::fs::write(path("trusted_root.sigveil.json"), section.to_string()).unwrap();
    std::fs::copy(served.path("trusted_root.json"), path("trusted_root.json")).unwrap();
    let (root, memory) = (path("trusted_root.json"), path("memory.json"));
    let monitor = ["monitor", "--key", key, "--url", url, "--trusted-root", &root, "--memory", &memory];
    for again in [false, true] {
        let (status, answer) = run_json(monitor);
        assert_eq!(status, 0, "{answer}");
        assert!(answer["note"].as_str().unwrap().contains("only the stable label"), "{answer}");
        let events = answer["events"].as_array().unwrap();
        assert_eq!(events.is_empty(), again, "{answer}");
        assert!(events.iter().all(|e| e["san"].as_str().unwrap().contains(":stable:")), "{answer}");
    }
    let seen = served.json("bob.memory");
    assert_eq!(seen["logs"].as_array().map(Vec::len), Some(2), "{seen}");
    for log in ["/logs/0/size", "/logs/1/size"] {
        let mut larger = seen.clone();
        *larger.pointer_mut(log).unwrap() = 1_000_000.into();
        std::fs::write(&memory, larger.to_string()).unwrap();
        let (status, answer) = run_json(monitor);
        assert_eq!(
            (status, answer["alerts"][0]["reason"].as_str()),
            (1, Some("log-shrank")),
            "{log}: {answer}"
        );
    }
}

/// sigstore-python signs, knowing nothing of us; both verifiers accept it.
fn stock_signature(served: &Served) {
    let file = served.dir.join("wheel.whl");
    std::fs::write(&file, b"a wheel").unwrap();
    let bundle = format!("{}.sigstore.json", file.display());
    let output = Command::new(sigstore_python())
        .args(["--trust-config", &served.path("trust_config.json"), "sign"])
        .args(["--identity-token", &served.token("carol@example.com"), "--bundle", &bundle])
        .arg(&file)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let issuer = served.url("issuer");
    let any = ["--require", "proof", "--identity-regexp", "^urn:sigveil:open:stable:[a-z2-7]{52}$"];
    let mut arguments = vec!["verify", file.to_str().unwrap(), "--bundle", &bundle];
    let root = served.path("trusted_root.json");
    arguments.extend(["--trusted-root", &root, "--issuer", &issuer]);
    arguments.extend(any);
    let (status, answer) = run_json(arguments);
    assert_eq!(status, 0, "{answer}");
    let altered = Altered::new(&served.dir, &file, None);
    altered.refuses_every_alteration(&served.json("wheel.whl.sigstore.json"));
}

#[test]
fn a_busy_port_is_said_to_be_one_and_nothing_is_kept() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let folder = tempfile::tempdir_in(scratch("busy-port")).unwrap();
    let text = std::fs::read_to_string(demo().path("store/serve.toml")).unwrap();
    let port = format!("rekor = {}", taken.local_addr().unwrap().port());
    assert!(text.contains("rekor = 0"), "{text}");
    let config = folder.path().join("serve.toml");
    std::fs::write(&config, text.replace("rekor = 0", &port)).unwrap();
    let (status, answer) = run_json(["serve", "--insecure-dev-keys", "--config", config.to_str().unwrap()]);
    assert_eq!((status, answer["reason"].as_str()), (3, Some("port-unavailable")), "{answer}");
    assert!(!folder.path().join("instance.json").exists());
}
