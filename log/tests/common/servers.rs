//! Real servers for tests: PostgreSQL from npm, an S3 server (versitygw, over a folder) and nats-server by `go install`.
//! Installed once into the user's cache, started on a free port of loopback, and stopped when this process ends, however it does.
//!
//! Without npm or go the tests that need them say so and pass; with CI=true that is a failure.

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use sigveil_log::store::postgres::Postgres;
use sigveil_log::store::s3::{S3, S3Config};
use sigveil_log::store::shared::{Connect, Journal};
use tempfile::TempDir;

/// The npm package's version: that of PostgreSQL and its own.
pub const POSTGRES: &str = "18.4.0-beta.17";
/// With its version.
pub const VERSITYGW: &str = "github.com/versity/versitygw/cmd/versitygw@v1.8.0";
const NATS_SERVER: &str = "github.com/nats-io/nats-server/v2@v2.15.2";
/// Whom the servers run as where tests run as root, which PostgreSQL refuses.
const NOBODY: u32 = 65534;

fn is_root() -> bool {
    std::fs::metadata("/proc/self").is_ok_and(|own| std::os::unix::fs::MetadataExt::uid(&own) == 0)
}

/// Where programs are kept: of root, where others may run them too.
fn cache() -> PathBuf {
    if is_root() {
        return PathBuf::from("/var/cache/sigveil");
    }
    let home = || PathBuf::from(std::env::var_os("HOME").unwrap()).join(".cache");
    std::env::var_os("XDG_CACHE_HOME").map_or_else(home, PathBuf::from).join("sigveil")
}

/// Whether a program is there; if not, whether that may be passed over.
fn available(program: &str, argument: &str) -> bool {
    if Command::new(program).arg(argument).output().is_ok_and(|output| output.status.success()) {
        return true;
    }
    assert!(std::env::var("CI").as_deref() != Ok("true"), "CI needs {program}");
    eprintln!("skipped: {program} is not installed");
    false
}

/// Why something could not be installed.
pub type Failed = Box<dyn std::error::Error>;

fn attempt(command: &mut Command) -> Result<(), Failed> {
    let output = command.output()?;
    let said = String::from_utf8_lossy(&output.stderr);
    if output.status.success() { Ok(()) } else { Err(format!("{command:?}: {said}").into()) }
}

/// A folder that `fill` fills, once for all processes: whole, or not there.
pub fn installed(name: &str, fill: impl FnOnce(&Path) -> Result<(), Failed>) -> Result<PathBuf, Failed> {
    let folder = cache().join(name);
    if !folder.exists() {
        std::fs::create_dir_all(cache())?;
        let fresh = tempfile::tempdir_in(cache())?;
        fill(fresh.path())?;
        std::fs::set_permissions(fresh.path(), std::fs::Permissions::from_mode(0o755))?;
        // Of two processes that install at once, the second finds the first one's.
        let _ = std::fs::rename(fresh.path(), &folder);
    }
    Ok(folder)
}

/// The programs of PostgreSQL, by npm.
pub fn install_postgres() -> Result<PathBuf, Failed> {
    let architecture = match std::env::consts::ARCH {
        "x86_64" => "linux-x64",
        _ => "linux-arm64",
    };
    let package = format!("@embedded-postgres/{architecture}");
    let folder = installed(&format!("postgres-{POSTGRES}"), |folder| {
        std::fs::write(folder.join("package.json"), "{}")?;
        let mut install = Command::new("npm");
        install.args(["install", "--no-audit", "--no-fund", "--ignore-scripts"]);
        attempt(install.arg(format!("{package}@{POSTGRES}")).current_dir(folder))?;
        let package = folder.join("node_modules").join(&package);
        for program in std::fs::read_dir(package.join("native/bin"))? {
            let mode = std::fs::Permissions::from_mode(0o755);
            std::fs::set_permissions(program?.path(), mode)?;
        }
        // A package holds no links: a script of its own would make them.
        let links = std::fs::read(package.join("native/pg-symlinks.json"))?;
        let links: Vec<BTreeMap<String, PathBuf>> = serde_json::from_slice(&links)?;
        for link in links {
            let to = link["source"].file_name().unwrap();
            std::os::unix::fs::symlink(to, package.join(&link["target"]))?;
        }
        Ok(())
    })?;
    Ok(folder.join("node_modules").join(package).join("native/bin"))
}

/// A program, by `go install`.
fn install_by_go(package: &str, name: &str) -> Result<PathBuf, Failed> {
    let folder = installed(&package.replace('/', "_"), |folder| {
        attempt(Command::new("go").args(["install", package]).env("GOBIN", folder))
    })?;
    Ok(folder.join(name))
}

/// The S3 server.
pub fn install_s3() -> Result<PathBuf, Failed> {
    install_by_go(VERSITYGW, "versitygw")
}

pub fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// A folder of the servers' user.
fn folder() -> std::io::Result<TempDir> {
    let folder = tempfile::tempdir()?;
    if is_root() {
        chown(folder.path(), Some(NOBODY), Some(NOBODY))?;
    }
    Ok(folder)
}

fn as_nobody(command: &mut Command) -> &mut Command {
    if is_root() { command.uid(NOBODY).gid(NOBODY) } else { command }
}

/// A server, and the shell that kills it and starts it anew at each line of its input, and once that ends stops it by its
/// process number and removes its folder.
pub struct Server {
    shell: Child,
    pub port: u16,
}

impl Server {
    fn start(command: &mut Command, folder: TempDir, port: u16) -> Result<Self, Failed> {
        // Of SIGQUIT the object store dies, and the database with its children: it recovers from its log when it starts again.
        const WATCH: &str = r#"folder=$1; shift
"$@" > /dev/null & server=$!
while read -r _; do kill -QUIT "$server"; wait "$server"; echo; "$@" > /dev/null & server=$!; done
kill -TERM "$server"; kill -INT "$server"; wait "$server"; rm -rf "$folder""#;
        let mut shell = Command::new("sh");
        shell.args(["-c", WATCH, "sh"]).arg(folder.path());
        shell.arg(command.get_program()).args(command.get_args());
        shell.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
        // Of another process group: what stops this process from the keyboard does not stop it before its shell.
        shell
            .current_dir("/")
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null());
        let server = Self { shell: as_nobody(&mut shell).spawn()?, port };
        // From here on it is the shell's to remove.
        let _ = folder.keep();
        server
            .wait_until_it_listens()
            .map_err(|error| format!("{}: {error}", command.get_program().display()))?;
        Ok(server)
    }

    fn wait_until_it_listens(&self) -> Result<(), Failed> {
        let begun = Instant::now();
        while TcpStream::connect(("127.0.0.1", self.port)).is_err() {
            if begun.elapsed() > Duration::from_secs(60) {
                return Err(format!("nobody listens on {}", self.port).into());
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(())
    }

    /// Has it die, and begin again with what it had stored. It may not answer yet.
    pub fn crash(&mut self) {
        self.shell.stdin.as_mut().unwrap().write_all(b"\n").unwrap();
        self.shell.stdout.as_mut().unwrap().read_exact(&mut [0]).unwrap();
        self.wait_until_it_listens().unwrap();
    }

    /// PostgreSQL with an empty database; `None` where it may be missing.
    pub fn postgres(settings: &[&str]) -> Option<Self> {
        available("npm", "--version").then(|| Self::start_postgres(&["-A", "trust"], settings).unwrap())
    }

    /// PostgreSQL for who knows the password; `None` where it may be missing.
    pub fn postgres_with_password(password: &str) -> Option<Self> {
        let folder = folder().unwrap();
        let file = folder.path().join("password");
        std::fs::write(&file, password).unwrap();
        let clients = ["-A", "scram-sha-256", "--pwfile", file.to_str().unwrap()];
        available("npm", "--version").then(|| Self::start_postgres(&clients, &[]).unwrap())
    }

    /// Installs PostgreSQL and starts it with an empty database, for clients of whom `initdb` is told.
    pub fn start_postgres(clients: &[&str], settings: &[&str]) -> Result<Self, Failed> {
        let (programs, folder, port) = (install_postgres()?, folder()?, free_port());
        let mut init = Command::new(programs.join("initdb"));
        init.arg("-D")
            .arg(folder.path())
            .args(["-U", "sigveil", "-E", "UTF8", "--no-locale", "-N"])
            .args(clients);
        attempt(as_nobody(&mut init).current_dir("/"))?;
        let mut server = Command::new(programs.join("postgres"));
        server.arg("-D").arg(folder.path()).args(["-h", "127.0.0.1", "-k", "", "-p"]).arg(port.to_string());
        server.args(settings.iter().flat_map(|setting| ["-c", setting]));
        let server = Self::start(&mut server, folder, port)?;
        // It listens before it answers.
        let database = Postgres::new(&server.address())?;
        while database.connect("ready").is_err_and(|error| error.to_string().contains("starting up")) {
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(server)
    }

    pub fn address(&self) -> String {
        format!("host=127.0.0.1 port={} user=sigveil dbname=postgres", self.port)
    }

    /// An S3 server with one bucket; `None` where it may be missing.
    pub fn s3() -> Option<Self> {
        available("go", "version").then(|| Self::start_s3().unwrap())
    }

    /// Installs the S3 server and starts it with one bucket.
    pub fn start_s3() -> Result<Self, Failed> {
        let (program, folder, port) = (install_s3()?, folder()?, free_port());
        for name in ["data/log", "sidecar"] {
            attempt(as_nobody(Command::new("mkdir").arg("-p").arg(folder.path().join(name))))?;
        }
        let mut server = Command::new(program);
        server.args(["--quiet", "--keep-alive", "--access", "access", "--secret", "secret", "--port"]);
        server.arg(format!("127.0.0.1:{port}")).args(["posix", "--sidecar"]);
        server.arg(folder.path().join("sidecar")).arg(folder.path().join("data"));
        Self::start(&mut server, folder, port)
    }

    pub fn endpoint(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// A NATS server whose streams are in `store`, which outlives it; `None` where it may be missing.
    pub fn nats(store: &Path, port: u16) -> Option<Self> {
        let program =
            available("go", "version").then(|| install_by_go(NATS_SERVER, "nats-server").unwrap())?;
        if is_root() {
            chown(store, Some(NOBODY), Some(NOBODY)).unwrap();
        }
        let mut server = Command::new(program);
        server.args(["-a", "127.0.0.1", "-p"]).arg(port.to_string()).args(["-js", "-sd"]).arg(store);
        Some(Self::start(&mut server, folder().unwrap(), port).unwrap())
    }

    /// The process whose children the server's are.
    pub fn id(&self) -> u32 {
        self.shell.id()
    }

    /// Stops it, and waits until it has.
    pub fn stop(mut self) {
        drop(self.shell.stdin.take());
        self.shell.wait().unwrap();
    }
}

/// The database of this process.
pub fn postgres() -> Option<&'static Server> {
    static SERVER: OnceLock<Option<Server>> = OnceLock::new();
    SERVER.get_or_init(|| Server::postgres(&[])).as_ref()
}

/// The object store of this process.
pub fn s3() -> Option<&'static Server> {
    static SERVER: OnceLock<Option<Server>> = OnceLock::new();
    SERVER.get_or_init(Server::s3).as_ref()
}

/// A part of a bucket.
pub fn bucket(endpoint: &str, prefix: &str) -> S3 {
    let [region, bucket, key, secret] = ["us-east-1", "log", "access", "secret"].map(str::to_owned);
    let (endpoint, prefix) = (endpoint.to_owned(), format!("{prefix}/"));
    S3::new(S3Config { endpoint, region, bucket, prefix, key, secret, token: None }).unwrap()
}

/// A name that nothing of this process had before.
pub fn fresh() -> String {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    format!("{}-{}", std::process::id(), NUMBER.fetch_add(1, Ordering::Relaxed))
}

/// Orders of logs that have one origin and are different logs.
#[derive(Debug)]
pub struct Labelled {
    pub postgres: Postgres,
    pub address: String,
    pub label: String,
}

impl Labelled {
    pub fn new(address: &str, label: &str) -> Self {
        let (address, label) = (address.to_owned(), label.to_owned());
        Self { postgres: Postgres::new(&address).unwrap(), address, label }
    }
}

impl Connect for Labelled {
    fn connect(&self, origin: &str) -> std::io::Result<Box<dyn Journal>> {
        self.postgres.connect(&format!("{origin} {}", self.label))
    }
}

/// Says something at once, whole, on standard output.
pub fn say(line: &str) {
    std::io::stdout().lock().write_all(format!("\n{line}\n").as_bytes()).unwrap();
}
