//! Our log by two front ends: its order in PostgreSQL, its tiles in a bucket of an S3 server, all on this machine.

use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{anyhow, ensure};

use super::install::Missing;
use super::servers::Served;
use super::stack::Stack;
use super::stores::{Failed, Server, install_postgres, install_s3};

/// Where a log's database and its bucket are.
struct Stores {
    database: Server,
    objects: Server,
}

/// A log that two processes serve.
pub(crate) struct SharedLog {
    stores: Stores,
    /// Each front end.
    pub(crate) front_ends: [Served; 2],
    begun: usize,
}

impl SharedLog {
    /// Starts the stores, empty, and both front ends.
    pub(crate) fn start(stack: &mut Stack) -> anyhow::Result<Self> {
        needed("npm", "--version", install_postgres)?;
        needed("go", "version", install_s3)?;
        let named = |what, failed: Failed| anyhow!("{what} did not start: {failed}");
        let database = Server::start_postgres(&["-A", "trust"], &[]);
        let database = database.map_err(|failed| named("PostgreSQL", failed))?;
        let objects = Server::start_s3().map_err(|failed| named("the object store", failed))?;
        let stores = Stores { database, objects };
        let front_ends = [stores.front_end(stack, 0)?, stores.front_end(stack, 1)?];
        Ok(Self { stores, front_ends, begun: 2 })
    }

    /// Both as one server, with the stores' use of the machine.
    pub(crate) fn served(&self) -> Served {
        let parents = [self.stores.database.id(), self.stores.objects.id()];
        Served::together(&self.front_ends, &parents)
    }

    /// Kills the front end that publishes, and another takes its place once `answered` by the one that is left; how long that
    /// took from the kill.
    pub(crate) fn kill_one(
        &mut self,
        stack: &mut Stack,
        answered: impl FnOnce(&Served) -> anyhow::Result<()>,
    ) -> anyhow::Result<Duration> {
        let publishing = self.publishing()?;
        let left = self.front_ends[1 - publishing].clone();
        let killed = &self.front_ends[publishing].processes[0];
        let begun = Instant::now();
        killed.kill()?;
        answered(&left)?;
        let took = begun.elapsed();
        ensure!(!killed.is_alive(), "{} was killed and runs", killed.name);
        self.front_ends[publishing] = self.stores.front_end(stack, self.begun)?;
        self.begun += 1;
        Ok(took)
    }

    /// Which of them publishes: whoever has the lease says so.
    fn publishing(&self) -> anyhow::Result<usize> {
        const PATIENCE: Duration = Duration::from_secs(30);
        let begun = Instant::now();
        loop {
            for (index, front_end) in self.front_ends.iter().enumerate() {
                let metrics = reqwest::blocking::get(format!("{}/metrics", front_end.url))?.text()?;
                let publishes =
                    |line: &str| line.starts_with("sigveil_log_publishing{") && line.ends_with(" 1");
                if metrics.lines().any(publishes) {
                    return Ok(index);
                }
            }
            ensure!(begun.elapsed() < PATIENCE, "neither front end publishes");
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

/// Installs what the stores are, if that is not done; says what is missing if it cannot be.
fn needed(
    tool: &'static str,
    version: &str,
    install: impl FnOnce() -> Result<PathBuf, Failed>,
) -> Result<(), Missing> {
    const OF: &str = "a log of two front ends";
    let there = Command::new(tool).arg(version).output().is_ok_and(|output| output.status.success());
    if !there {
        return Err(Missing::Tool { tool, of: OF });
    }
    install().map(drop).map_err(|failed| Missing::Install { tool, of: OF, said: failed.to_string() })
}

impl Stores {
    fn front_end(&self, stack: &mut Stack, number: usize) -> anyhow::Result<Served> {
        let name = format!("s3pg_{number}");
        // All have one key, which the first makes.
        stack.keys.ed25519("s3pg", &mut rand_core::OsRng).map_err(crate::said)?;
        let (keys, data) = (stack.folder.join("keys"), stack.data(&name)?);
        stack.own(&name, "front-end", data.clone(), |command| {
            command.arg("--keys").arg(keys).arg("--folder").arg(data);
            command.args(["--database", &self.database.address(), "--endpoint", &self.objects.endpoint()]);
        })
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failed expectation is the test's verdict")]
mod tests {
    use super::super::stores::installed;
    use super::*;

    #[test]
    fn what_cannot_be_installed_is_missing_and_leaves_nothing() {
        let name = format!("failing-{}", std::process::id());
        let failing = || {
            installed(&name, |folder| {
                std::fs::write(folder.join("half"), "")?;
                Err("no such package".into())
            })
        };
        // Nothing is there that a second one could take for whole.
        for _ in 0..2 {
            let missing = needed("true", "", failing).unwrap_err();
            let Missing::Install { tool: "true", said, .. } = missing else { panic!("{missing}") };
            assert_eq!(said, "no such package");
        }
        let absent = needed("no-such-tool", "--version", || unreachable!("nothing installs it"));
        assert!(matches!(absent, Err(Missing::Tool { tool: "no-such-tool", .. })));
    }
}
