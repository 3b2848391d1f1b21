//! Running the binary, and the one demo run that all tests share.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output};
use std::sync::OnceLock;

use serde_json::Value;

/// A folder under target/ that survives the test run, so that what is installed or proven there is reused.
pub fn scratch(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

/// The command under test, with a cache of circuit keys of its own unless the caller has named one.
pub fn sigveil<I: AsRef<OsStr>>(arguments: impl IntoIterator<Item = I>) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sigveil"));
    command.args(arguments);
    if std::env::var_os("SIGVEIL_CACHE_DIR").is_none() {
        command.env("SIGVEIL_CACHE_DIR", scratch("cache"));
    }
    command
}

/// Asks a process to end; how it did.
pub fn terminate(child: &mut Child) -> ExitStatus {
    let asked = Command::new("sh").arg("-c").arg(format!("kill -TERM {}", child.id())).status();
    assert!(asked.unwrap().success());
    child.wait().unwrap()
}

/// Runs to the end.
pub fn run<I: AsRef<OsStr>>(arguments: impl IntoIterator<Item = I>) -> Output {
    sigveil(arguments).output().unwrap()
}

/// Runs with `--json` and gives (exit status, the object).
pub fn run_json<I: AsRef<OsStr>>(arguments: impl IntoIterator<Item = I>) -> (i32, Value) {
    let output = sigveil(arguments).arg("--json").output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let value = serde_json::from_str(&text)
        .unwrap_or_else(|_| panic!("no JSON object: {text:?} {}", String::from_utf8_lossy(&output.stderr)));
    (output.status.code().unwrap(), value)
}

/// What the one demo run of this process left.
pub struct Demo {
    /// The folder.
    pub dir: PathBuf,
    /// Its `--json` object.
    pub report: Value,
}

impl Demo {
    /// A file in the folder.
    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }

    /// A JSON file in the folder.
    pub fn json(&self, name: &str) -> Value {
        serde_json::from_slice(&std::fs::read(self.path(name)).unwrap()).unwrap()
    }

    /// (SAN, issuer) of the signer.
    pub fn identity(&self) -> (String, String) {
        let identity = self.json("identity.json");
        (identity["san"].as_str().unwrap().to_owned(), identity["issuer"].as_str().unwrap().to_owned())
    }

    /// The claims of the demo's token.
    pub fn claims(&self) -> Value {
        let token = std::fs::read_to_string(self.path("token.jwt")).unwrap();
        let payload = token.split('.').nth(1).unwrap();
        let payload =
            base64::Engine::decode(&base64::engine::general_purpose::URL_SAFE_NO_PAD, payload).unwrap();
        serde_json::from_slice(&payload).unwrap()
    }

    /// `verify` on the demo's own files, with `extra` arguments after them.
    pub fn verify(&self, extra: &[&str]) -> (i32, Value) {
        let (san, issuer) = self.identity();
        self.verify_as(&self.path("artifact"), &san, &issuer, extra)
    }

    /// `verify` of any file by any identity against the demo's bundle.
    pub fn verify_as(&self, file: &Path, san: &str, issuer: &str, extra: &[&str]) -> (i32, Value) {
        let text = |path: PathBuf| path.to_str().unwrap().to_owned();
        let mut arguments: Vec<String> = vec![
            "verify".into(),
            text(file.to_owned()),
            "--bundle".into(),
            text(self.path("artifact.sigstore.json")),
            "--trusted-root".into(),
            text(self.path("trusted_root.json")),
            "--identity".into(),
            san.into(),
            "--issuer".into(),
            issuer.into(),
            "--sigveil".into(),
            text(self.path("artifact.sigveil.json")),
        ];
        arguments.extend(extra.iter().map(ToString::to_string));
        run_json(arguments)
    }
}

/// The demo, run once per process.
pub fn demo() -> &'static Demo {
    static DEMO: OnceLock<Demo> = OnceLock::new();
    DEMO.get_or_init(|| {
        let dir = scratch("demo");
        let (status, report) = run_json(["demo", "--dir", dir.to_str().unwrap()]);
        assert_eq!(status, 0, "the demo failed: {report}");
        Demo { dir, report }
    })
}

/// Every file below a folder, with its contents.
pub fn files_below(folder: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let bytes = std::fs::read(&path).unwrap();
                found.push((path, bytes));
            }
        }
    }
    found
}

/// Copies a folder with everything below it.
pub fn copy(from: &Path, to: &Path) {
    for (path, bytes) in files_below(from) {
        let target = to.join(path.strip_prefix(from).unwrap());
        std::fs::create_dir_all(target.parent().unwrap()).unwrap();
        std::fs::write(target, bytes).unwrap();
    }
}
