//! How each real server is started: its flags, its files, and when it is ready.

use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use sigveil::files;

use super::disk;
use super::install::{mariadb, output};
use super::process::{Process, Usage, below, reset_peaks, usage};
use super::stack::{Stack, answers, free_ports, listens};
use super::words::last_lines;
use crate::role::filled::filled;
use crate::role::{self, Variant};

/// Rekor v1 and the timestamp authority serve their metrics on this port and on no other.
const FIXED_METRICS_PORT: u16 = 2112;
/// The one user of the databases, on loopback.
const DATABASE_USER: &str = "bench:bench";

/// A server and where it answers.
#[derive(Clone, Debug)]
pub(crate) struct Served {
    /// Base URL.
    pub(crate) url: String,
    /// The processes whose use of the machine is this role's.
    pub(crate) processes: Vec<Process>,
    /// Those whose children's is, as they come and go.
    parents: Vec<u32>,
    /// Where its data is.
    pub(crate) data: PathBuf,
    /// Bytes there when it began: databases begin with some megabytes.
    empty: f64,
}

impl Served {
    fn new(url: String, processes: Vec<Process>, data: PathBuf) -> Self {
        let empty = disk::stored(&data);
        Self { url, processes, parents: Vec::new(), data, empty }
    }

    /// Several as one, where the first answers, with what is below these processes.
    pub(super) fn together(several: &[Self; 2], parents: &[u32]) -> Self {
        let processes = several.iter().flat_map(|one| one.processes.clone()).collect();
        Self { processes, parents: parents.to_vec(), ..several[0].clone() }
    }

    /// Bytes that it has on disk for what it was given.
    pub(crate) fn stored(&self) -> f64 {
        disk::stored(&self.data) - self.empty
    }

    /// What its processes have used.
    pub(crate) fn usage(&self) -> anyhow::Result<Usage> {
        Ok([usage(&self.processes)?, below(&self.parents)?].into_iter().sum())
    }

    /// Has the peaks of its processes begin anew; whether the kernel did it.
    pub(crate) fn reset_peaks(&self) -> bool {
        reset_peaks(&self.processes, &self.parents)
    }
}

/// Trillian over MariaDB.
#[derive(Clone, Debug)]
pub(crate) struct Trillian {
    rpc: u16,
    database: u16,
    /// MariaDB's, the log server's and the log signer's.
    pub(crate) processes: Vec<Process>,
    data: PathBuf,
}

impl Stack {
    /// The identity provider: ours, since every client and server takes any.
    pub(crate) fn issuer(&mut self) -> anyhow::Result<Served> {
        let [port] = free_ports()?;
        let url = format!("http://localhost:{port}");
        let key = self.keys.issuer().map_err(crate::said)?;
        drop(key);
        let mut command = Command::new(std::env::current_exe()?);
        command.args(["role", "issuer", "--port", &port.to_string(), "--keys"]).arg(self.folder.join("keys"));
        let discovery = format!("{url}/.well-known/openid-configuration");
        let process = self.start("issuer", &mut command, || answers(&discovery))?;
        self.answers("issuer", &url)?;
        Ok(Served::new(url, vec![process], self.folder.join("keys")))
    }

    /// Our signature log.
    pub(crate) fn log(&mut self, name: &str) -> anyhow::Result<Served> {
        let data = self.data(name)?;
        let folder = data.clone();
        self.own(name, "log", data, |command| {
            command.arg("--folder").arg(folder);
        })
    }

    /// The folder of a signature log of ours that is filled at its engine: to be served by [`Self::log`] of the same name.
    pub(crate) fn filled_log(&mut self, name: &str, entries: u64) -> anyhow::Result<PathBuf> {
        let folder = self.data(name)?;
        let mut command = Command::new(std::env::current_exe()?);
        command.args(["role", "fill", "--entries", &entries.to_string(), "--folder"]).arg(&folder);
        self.run_to_end("fill", &mut command)?;
        ensure!(filled(&folder).exists(), "{name} is not filled:\n{}", last_lines(&self.output("fill")));
        Ok(folder)
    }

    /// Our certificate log, for chains of [`Self::authority`].
    pub(crate) fn certificate_log(&mut self, name: &str) -> anyhow::Result<Served> {
        let (data, roots) = (self.data(name)?, self.trust().join("root.pem"));
        let folder = data.clone();
        self.own(name, "certificate-log", data, |command| {
            command.arg("--folder").arg(folder).arg("--roots").arg(roots);
        })
    }

    /// Our whole instance: every role in one process, with an issuer whose tokens are not bound to a key.
    pub(crate) fn instance(&mut self, name: &'static str, scheme: Variant) -> anyhow::Result<Served> {
        if scheme.proves() {
            // Before it starts: it has a minute to answer, and keys may take longer.
            eprintln!("reading the proving keys; on first use they are made, which takes a minute or two");
            role::prover()?;
        }
        let data = self.data(name)?;
        let mut command = Command::new(std::env::current_exe()?);
        command.args(["role", "instance", "--scheme", scheme.name(), "--folder"]).arg(&data);
        // Written when everything listens.
        let ready = data.join("ready");
        let process = self.start(name, &mut command, || ready.exists())?;
        Ok(Served::new(String::new(), vec![process], data))
    }

    /// A server that answers and does nothing.
    pub(crate) fn null(&mut self) -> anyhow::Result<Served> {
        let data = self.data("null")?;
        self.own("harness", "null", data, |_| {})
    }

    /// One of our own roles, on a free port.
    pub(super) fn own(
        &mut self,
        name: &str,
        role: &str,
        data: PathBuf,
        more: impl FnOnce(&mut Command),
    ) -> anyhow::Result<Served> {
        let [port] = free_ports()?;
        let mut command = Command::new(std::env::current_exe()?);
        command.args(["role", role, "--port", &port.to_string()]);
        more(&mut command);
        let url = format!("http://localhost:{port}");
        let health = format!("{url}/healthz");
        let process = self.start(name, &mut command, || answers(&health))?;
        self.answers(name, &url)?;
        Ok(Served::new(url, vec![process], data))
    }

    /// Rekor v2 over a POSIX file system, with checkpoints at this interval.
    ///
    /// With `--persistent-antispam`, whose default is false: without it Rekor v2 knows an entry again among the last 256 only,
    /// with it among all, by a database on disk. Ours knows all, in memory and by files.
    pub(crate) fn rekor2(&mut self, name: &str, interval: Duration) -> anyhow::Result<Served> {
        let program = self.programs.get("rekor2")?;
        let [http, grpc, metrics] = free_ports()?.map(|port: u16| port.to_string());
        let data = self.data(name)?;
        self.keys.ed25519("rekor2", &mut rand_core::OsRng).map_err(crate::said)?;
        let mut command = Command::new(program);
        command.args([
            "serve",
            "--hostname",
            "localhost",
            "--http-address",
            "127.0.0.1",
            "--grpc-address",
            "127.0.0.1",
        ]);
        command.args(["--http-port", &http, "--grpc-port", &grpc, "--http-metrics-port", &metrics]);
        command.arg("--storage-dir").arg(&data).arg("--signer-filepath").arg(self.keys.path("rekor2", "pem"));
        command
            .args(["--persistent-antispam", "--checkpoint-interval"])
            .arg(format!("{}s", interval.as_secs()));
        let url = format!("http://localhost:{http}");
        let health = format!("{url}/healthz");
        let process = self.start(name, &mut command, || answers(&health))?;
        self.answers(name, &url)?;
        Ok(Served::new(url, vec![process], data))
    }

    /// Trillian's server and signer, and MariaDB below them, for what has this name.
    pub(crate) fn trillian(&mut self, name: &str) -> anyhow::Result<Trillian> {
        let (server, signer) =
            (self.programs.get("trillian_log_server")?, self.programs.get("trillian_log_signer")?);
        let (database, database_process, data) = self.database(&format!("{name}_mariadb"))?;
        let mut processes = vec![database_process];
        let uri = format!("--mysql_uri={DATABASE_USER}@tcp(127.0.0.1:{database})/trillian");
        let mut rpc_port = 0;
        for (part, program) in [("trillian_log_server", server), ("trillian_log_signer", signer)] {
            let [rpc, http] = free_ports()?;
            let mut command = Command::new(program);
            command.arg(&uri).args(["--quota_system=noop"]);
            command
                .arg(format!("--rpc_endpoint=localhost:{rpc}"))
                .arg(format!("--http_endpoint=localhost:{http}"));
            match part {
                "trillian_log_server" => rpc_port = rpc,
                _ => {
                    // Its interval and its batches are its defaults, 100 ms and 1,000 entries.
                    command.arg("--force_master");
                }
            }
            let health = format!("http://localhost:{http}/healthz");
            processes.push(self.start(&format!("{name}_{part}"), &mut command, || answers(&health))?);
        }
        Ok(Trillian { rpc: rpc_port, database, processes, data })
    }

    /// MariaDB on a data folder of its own, with Trillian's schema and an empty database for Rekor v1's search index.
    fn database(&mut self, name: &str) -> anyhow::Result<(u16, Process, PathBuf)> {
        let (install, server, client) =
            (mariadb("mariadb-install-db")?, mariadb("mariadbd")?, mariadb("mariadb")?);
        let schema = self.programs.module_file(
            "trillian_log_server",
            "github.com/google/trillian",
            "storage/mysql/schema/storage.sql",
        )?;
        let data = self.data(name)?;
        // Run by root it wants to be told so.
        let user = rustix::process::geteuid().is_root().then_some("--user=root");
        let mut make = Command::new(install);
        make.args(["--no-defaults", "--auth-root-authentication-method=normal", "--skip-test-db"]).args(user);
        output(make.arg(format!("--datadir={}", data.display())))?;
        let [port] = free_ports()?;
        // A socket's path has an upper length that a cache folder's may exceed.
        let sockets = tempfile::Builder::new().prefix("sigveil-bench").tempdir()?;
        let socket = sockets.path().join("s");
        let mut command = Command::new(server);
        command.args(["--no-defaults", "--bind-address=127.0.0.1", "--skip-name-resolve"]).args(user);
        command.arg(format!("--datadir={}", data.display())).arg(format!("--socket={}", socket.display()));
        command.arg(format!("--port={port}")).arg("--max-connections=500");
        let process = self.start(name, &mut command, || socket.exists() && listens(port))?;
        let (account, password) = DATABASE_USER.split_once(':').context("the user has a password")?;
        let statements = format!(
            "CREATE DATABASE trillian; CREATE DATABASE rekor; \
             CREATE USER '{account}'@'127.0.0.1' IDENTIFIED BY '{password}'; \
             GRANT ALL ON *.* TO '{account}'@'127.0.0.1'; USE trillian;\n{}",
            files::read_text(&schema, files::JSON_LIMIT).map_err(crate::said)?
        );
        let script = sockets.path().join("script.sql");
        std::fs::write(&script, statements)?;
        let mut command = Command::new(client);
        command.args(["--no-defaults", "--user=root"]).arg(format!("--socket={}", socket.display()));
        output(command.stdin(std::fs::File::open(&script)?))?;
        Ok((port, process, data))
    }

    /// A tree in Trillian.
    fn tree(&self, trillian: &Trillian) -> anyhow::Result<String> {
        let said = output(
            Command::new(self.programs.get("createtree")?)
                .arg(format!("--admin_server=localhost:{}", trillian.rpc)),
        )?;
        let id = String::from_utf8(said.stdout)?.trim().to_owned();
        ensure!(!id.is_empty() && id.bytes().all(|byte| byte.is_ascii_digit()), "createtree said {id:?}");
        Ok(id)
    }

    /// The CT log over Trillian; its processes are Trillian's too.
    pub(crate) fn ct_server(&mut self, trillian: &Trillian) -> anyhow::Result<Served> {
        let program = self.programs.get("ct_server")?;
        let config = self.folder.join("keys").join("ct.cfg");
        let text = self.ct_config(&self.tree(trillian)?)?;
        files::write_secret(&config, text.as_bytes(), files::Replace::Never).map_err(crate::said)?;
        let [http, metrics] = free_ports()?;
        let mut command = Command::new(program);
        command.arg(format!("--log_config={}", config.display()));
        command.arg(format!("--log_rpc_server=localhost:{}", trillian.rpc));
        command
            .arg(format!("--http_endpoint=localhost:{http}"))
            .arg(format!("--metrics_endpoint=localhost:{metrics}"));
        let url = format!("http://localhost:{http}/ct");
        let head = format!("{url}/ct/v1/get-sth");
        let process = self.start("ct_server", &mut command, || answers(&head))?;
        self.answers("ct_server", &url)?;
        let processes = [vec![process], trillian.processes.clone()].concat();
        Ok(Served::new(url, processes, trillian.data.clone()))
    }

    /// The certificate authority, with a key in a file; its processes are the CT log's too. Its default is a log for
    /// developers, with a line for each step of a certificate: in operation it runs without.
    pub(crate) fn fulcio(&mut self, issuer: &Served, ct: &Served) -> anyhow::Result<Served> {
        let program = self.programs.get("fulcio")?;
        let [http, grpc, metrics] = free_ports()?.map(|port: u16| port.to_string());
        let trust = self.trust();
        let config = trust.join("fulcio.yaml");
        let issuers = format!(
            "oidc-issuers:\n  {0}:\n    issuer-url: {0}\n    client-id: sigstore\n    type: email\n",
            issuer.url
        );
        files::write(&config, issuers.as_bytes()).map_err(crate::said)?;
        let mut command = Command::new(program);
        command.args([
            "serve",
            "--host",
            "127.0.0.1",
            "--port",
            &http,
            "--grpc-host",
            "127.0.0.1",
            "--grpc-port",
            &grpc,
        ]);
        command.args(["--metrics-port", &metrics, "--ct-log-url", &ct.url, "--log_type", "prod"]);
        command.arg("--config-path").arg(&config);
        command.args([
            "--ca",
            "fileca",
            "--fileca-key-passwd",
            "none",
            "--fileca-watch=false",
            "--fileca-cert",
        ]);
        command.arg(trust.join("ca.pem")).arg("--fileca-key").arg(self.keys.path("ca", "pem"));
        let socket = self.folder.join("data").join("fulcio.sock");
        command.arg("--legacy-unix-domain-socket").arg(&socket);
        let url = format!("http://localhost:{http}");
        let configuration = format!("{url}/api/v2/configuration");
        let process = self.start("fulcio", &mut command, || answers(&configuration))?;
        self.answers("fulcio", &url)?;
        let processes = [vec![process], ct.processes.clone()].concat();
        Ok(Served::new(url, processes, ct.data.clone()))
    }

    /// The timestamp authority, with a key and chain that it makes itself.
    pub(crate) fn tsa(&mut self) -> anyhow::Result<Served> {
        ensure!(
            !listens(FIXED_METRICS_PORT),
            "port {FIXED_METRICS_PORT} is busy, and the timestamp authority can have its metrics on no other: end \
             whatever listens there"
        );
        let program = self.programs.get("tsa")?;
        let [port] = free_ports()?;
        let mut command = Command::new(program);
        command.args(["serve", "--host", "127.0.0.1", "--port", &port.to_string()]);
        command.args(["--timestamp-signer", "memory", "--disable-ntp-monitoring"]);
        let url = format!("http://localhost:{port}");
        let chain = format!("{url}/api/v1/timestamp/certchain");
        let process = self.start("tsa", &mut command, || answers(&chain))?;
        self.answers("tsa", &url)?;
        let data = self.data("tsa")?;
        Ok(Served::new(url, vec![process], data))
    }

    /// Rekor v1 over Trillian, with its search index in MariaDB.
    pub(crate) fn rekor1(&mut self, trillian: &Trillian) -> anyhow::Result<Served> {
        let program = self.programs.get("rekor1")?;
        let [port] = free_ports()?;
        let mut command = Command::new(program);
        command.args([
            "serve",
            "--rekor_server.address",
            "127.0.0.1",
            "--rekor_server.hostname",
            "localhost",
        ]);
        command.args(["--port", &port.to_string(), "--rekor_server.signer", "memory"]);
        command.args(["--trillian_log_server.address", "localhost", "--trillian_log_server.port"]);
        command.arg(trillian.rpc.to_string());
        command.args(["--search_index.storage_provider", "mysql", "--search_index.mysql.dsn"]);
        command.arg(format!("{DATABASE_USER}@tcp(127.0.0.1:{})/rekor", trillian.database));
        let url = format!("http://localhost:{port}");
        let ping = format!("{url}/ping");
        let process = self.start("rekor1", &mut command, || answers(&ping))?;
        self.answers("rekor1", &url)?;
        let processes = [vec![process], trillian.processes.clone()].concat();
        Ok(Served::new(url, processes, trillian.data.clone()))
    }
}
