//! Our log by two front ends: its order in PostgreSQL, its tiles in a bucket of an S3 server, all on this machine.

use std::time::{Duration, Instant};

use anyhow::ensure;

use super::install::Missing;
use super::servers::Served;
use super::stack::Stack;
use super::stores::Server;

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
        let of = "a log of two front ends";
        let database = Server::postgres(&[]).ok_or(Missing::Tool { tool: "npm", of })?;
        let objects = Server::s3().ok_or(Missing::Tool { tool: "go", of })?;
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
