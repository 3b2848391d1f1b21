//! The order of a log in PostgreSQL.
//!
//! | table | a row is | rewritten |
//! |---|---|---|
//! | `sigveil_log` | a log: how many entries it has, whether it has ended, how often content was withheld | by each batch, which locks it: that is whose turn it is |
//! | `sigveil_batch` | a batch, as the write-ahead log writes it | when content of it is withheld; dropped behind full bundles |
//! | `sigveil_withheld` | what is withheld of an entry | never |
//! | `sigveil_leaf` | a leaf and its last index | when the leaf recurs |
//! | `sigveil_leaf_sum` | a log: how many leaves it has, and their digest | by each batch |
//! | `sigveil_lease` | who publishes, by number of terms, until when; what was published, and what is erased | by whoever does |
//!
//! A batch, its leaves and the log's size are one transaction: duplicates are told by what is committed, and there is
//! nothing to bring in step after a crash. Whether somebody else changed the leaves, their sum tells at a start. A lease
//! is free when its time is over or when the session of its holder is: a holder keeps an advisory lock on its term, which
//! the server drops with the connection, so that a process that dies is followed at once and one that hangs after the
//! lease's time. Nothing rests on clocks but how soon that is.
//!
//! The server is trusted with the order and for durability: a session asks for `synchronous_commit`, and a server that
//! runs with `fsync = off` is refused. Connections are not encrypted by this client: use a socket, loopback, or a
//! network that is.

mod leaves;
mod schema;

use std::collections::HashMap;
use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, Config, NoTls, Row};

use super::background::Background;
use super::shared::{Connect, Journal, Ordered, Pieces, Turn};
use crate::batch::Batch;
use crate::hash::Hash;
use leaves::Added;

/// A database, by its address.
#[derive(Debug, Clone)]
pub struct Postgres {
    config: Config,
}

impl Postgres {
    /// The database at this address: `host=… user=… dbname=…`, or a URL that begins with `postgresql://`.
    ///
    /// # Errors
    /// [`io::ErrorKind::InvalidInput`] for what is no address.
    pub fn new(address: &str) -> io::Result<Self> {
        let invalid = |error| io::Error::new(io::ErrorKind::InvalidInput, error);
        let mut config: Config = address.parse().map_err(invalid)?;
        config.application_name("sigveil").connect_timeout(Duration::from_secs(5));
        Ok(Self { config })
    }

    /// Whether the address holds a password.
    pub fn has_password(&self) -> bool {
        self.config.get_password().is_some()
    }

    /// The same database, with this password.
    #[must_use]
    pub fn with_password(mut self, password: &str) -> Self {
        self.config.password(password);
        self
    }
}

impl Connect for Postgres {
    fn connect(&self, origin: &str) -> io::Result<Box<dyn Journal>> {
        let background = Background::start()?;
        let (config, origin) = (self.config.clone(), origin.to_owned());
        let (client, log) = background.wait(async move {
            let (client, connection) = config.connect(NoTls).await.map_err(failed)?;
            tokio::spawn(async move {
                if let Err(error) = connection.await {
                    tracing::debug!(%error, "the connection to the database ended");
                }
            });
            let log = schema::open(&client, &origin).await?;
            Ok((client, log))
        })?;
        Ok(Box::new(Session { background, client: Arc::new(client), log, term: None, known: HashMap::new() }))
    }
}

fn failed(error: tokio_postgres::Error) -> io::Error {
    let cause = std::error::Error::source(&error).map(ToString::to_string).unwrap_or_default();
    io::Error::other(format!("the database: {error}: {cause}"))
}

fn damaged(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("the database: {what}"))
}

/// Sizes and indices are the database's 64-bit integers, which have a sign.
fn signed(number: u64) -> io::Result<i64> {
    i64::try_from(number).map_err(|_| damaged("a number does not fit"))
}

fn unsigned(row: &Row, column: usize) -> io::Result<u64> {
    u64::try_from(row.get::<_, i64>(column)).map_err(|_| damaged("a number is negative"))
}

/// A connection of one front end.
struct Session {
    background: Background,
    client: Arc<Client>,
    log: i64,
    /// The term of the lease that this session has or had.
    term: Option<i64>,
    /// What this turn was told of leaves.
    known: HashMap<Hash, u64>,
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session").field("log", &self.log).field("term", &self.term).finish_non_exhaustive()
    }
}

impl Session {
    /// Runs one statement.
    fn query(
        &self,
        sql: &'static str,
        parameters: Vec<Box<dyn ToSql + Sync + Send>>,
    ) -> io::Result<Vec<Row>> {
        let client = Arc::clone(&self.client);
        self.background.wait(async move {
            let parameters: Vec<&(dyn ToSql + Sync)> =
                parameters.iter().map(|one| one.as_ref() as &(dyn ToSql + Sync)).collect();
            client.query(sql, &parameters).await.map_err(failed)
        })
    }

    /// The number that a statement about this log returns.
    fn number(&self, sql: &'static str) -> io::Result<u64> {
        let rows = self.query(sql, vec![Box::new(self.log)])?;
        rows.first().map_or(Err(damaged("the log is gone")), |row| unsigned(row, 0))
    }
}

impl Journal for Session {
    fn begin(&mut self, leaves: &[Hash]) -> io::Result<Turn> {
        let (client, log) = (Arc::clone(&self.client), self.log);
        let leaves: Vec<Vec<u8>> = leaves.iter().map(|leaf| leaf.0.to_vec()).collect();
        let turn = self.background.wait(async move {
            client.batch_execute("BEGIN").await.map_err(failed)?;
            let size = client.query_one(schema::TURN, &[&log]).await.map_err(failed)?;
            let rows = client.query(schema::KNOWN, &[&log, &leaves]).await.map_err(failed)?;
            let known = |row: &Row| {
                let leaf = Hash::from_slice(row.get(0)).ok_or_else(|| damaged("a leaf is no hash"))?;
                Ok((leaf, unsigned(row, 1)?))
            };
            let known = rows.iter().map(known).collect::<io::Result<_>>()?;
            Ok(Turn { next: unsigned(&size, 0)?, known, ended: size.get(1) })
        })?;
        self.known.clone_from(&turn.known);
        Ok(turn)
    }

    fn commit(&mut self, batch: &Batch) -> io::Result<()> {
        let (client, log, record) = (Arc::clone(&self.client), self.log, batch.to_record());
        let (first, end, added) =
            (signed(batch.first)?, signed(batch.end())?, Added::of(batch, &self.known)?);
        self.background.wait(async move {
            // Each is awaited: a transaction that failed is rolled back by a COMMIT that succeeds.
            let extended = client.execute(schema::EXTEND, &[&log, &first, &end]).await.map_err(failed)?;
            if extended != 1 {
                return Err(damaged("the batch is not at the log's end"));
            }
            client.execute(schema::BATCH, &[&log, &first, &end, &record]).await.map_err(failed)?;
            let Added { hashes, indices, number, digest } = added;
            let leaves: [&(dyn ToSql + Sync); 5] = [&log, &hashes, &indices, &number, &digest];
            client.execute(schema::LEAVES, &leaves).await.map_err(failed)?;
            client.batch_execute("COMMIT").await.map_err(failed)
        })
    }

    fn pass(&mut self) -> io::Result<()> {
        let client = Arc::clone(&self.client);
        self.background.wait(async move { client.batch_execute("ROLLBACK").await.map_err(failed) })
    }

    fn end(&mut self) -> io::Result<u64> {
        self.number(schema::END)
    }

    fn withhold(&mut self, what: &[u8], batch: Option<&Batch>) -> io::Result<u64> {
        let (client, log, what) = (Arc::clone(&self.client), self.log, what.to_vec());
        let batch =
            batch.map(|batch| Ok::<_, io::Error>((signed(batch.first)?, batch.to_record()))).transpose()?;
        self.background.wait(async move {
            let number: i64 = client.query_one(schema::WITHHOLD, &[&log]).await.map_err(failed)?.get(0);
            client.execute(schema::NOTE, &[&log, &number, &what]).await.map_err(failed)?;
            if let Some((first, record)) = batch {
                client.execute(schema::REWRITE, &[&log, &first, &record]).await.map_err(failed)?;
            }
            client.batch_execute("COMMIT").await.map_err(failed)?;
            u64::try_from(number).map_err(|_| damaged("a number is negative"))
        })
    }

    fn withheld(&mut self, after: u64) -> io::Result<Vec<Vec<u8>>> {
        let rows = self.query(schema::WITHHELD, vec![Box::new(self.log), Box::new(signed(after)?)])?;
        Ok(rows.iter().map(|row| row.get(0)).collect())
    }

    fn announce_erased(&mut self, withheld: u64) -> io::Result<()> {
        let parameters: Vec<Box<dyn ToSql + Sync + Send>> =
            vec![Box::new(self.log), Box::new(signed(withheld)?)];
        self.query(schema::ANNOUNCE_ERASED, parameters).map(drop)
    }

    fn erased(&mut self) -> io::Result<u64> {
        self.number(schema::ERASED)
    }

    fn leaves_agree(&mut self) -> io::Result<bool> {
        self.compare_leaves()
    }

    fn renew_leaves(&mut self, pieces: &mut Pieces<'_>) -> io::Result<()> {
        self.replace_leaves(pieces)
    }

    fn read(&mut self, from: Option<u64>) -> io::Result<Ordered> {
        let from = signed(from.unwrap_or(0))?;
        // One statement sees one state.
        let rows = self.query(schema::READ, vec![Box::new(self.log), Box::new(from)])?;
        let first = rows.first().ok_or_else(|| damaged("the log is gone"))?;
        let record = |row: &Row| row.get::<_, Option<Vec<u8>>>(2);
        let parse = |bytes: Vec<u8>| Batch::from_record(&bytes).ok_or_else(|| damaged("a batch is damaged"));
        let batches = rows.iter().filter_map(record).map(parse).collect::<io::Result<_>>()?;
        Ok(Ordered { batches, size: unsigned(first, 0)?, withheld: unsigned(first, 1)? })
    }

    fn trim(&mut self, keep_from: u64) -> io::Result<()> {
        self.query(schema::TRIM, vec![Box::new(self.log), Box::new(signed(keep_from)?)]).map(drop)
    }

    fn lease(&mut self, duration: Duration) -> io::Result<bool> {
        let seconds = duration.as_secs_f64();
        if let Some(term) = self.term {
            let prolonged =
                self.query(schema::PROLONG, vec![Box::new(self.log), Box::new(term), Box::new(seconds)])?;
            if !prolonged.is_empty() {
                return Ok(true);
            }
            self.query(schema::UNLOCK, vec![Box::new(self.log), Box::new(term)])?;
            self.term = None;
        }
        if self.query(schema::FREE, vec![Box::new(self.log)])?.is_empty() {
            return Ok(false);
        }
        let (client, log) = (Arc::clone(&self.client), self.log);
        self.term = self.background.wait(async move {
            client.batch_execute("BEGIN").await.map_err(failed)?;
            let term = client.query_opt(schema::TAKE, &[&log, &seconds]).await.map_err(failed)?;
            let term = term.map(|row| row.get::<_, i64>(0));
            if let Some(term) = term {
                // Before the row is let go, so that nobody finds the term without its lock.
                client.query(schema::LOCK, &[&log, &term]).await.map_err(failed)?;
            }
            client.batch_execute("COMMIT").await.map_err(failed)?;
            Ok(term)
        })?;
        Ok(self.term.is_some())
    }

    fn release(&mut self) -> io::Result<()> {
        let Some(term) = self.term.take() else { return Ok(()) };
        self.query(schema::RELEASE, vec![Box::new(self.log), Box::new(term)])?;
        self.query(schema::UNLOCK, vec![Box::new(self.log), Box::new(term)]).map(drop)
    }

    fn announce(&mut self, published: u64) -> io::Result<()> {
        self.query(schema::ANNOUNCE, vec![Box::new(self.log), Box::new(signed(published)?)]).map(drop)
    }

    fn announced(&mut self) -> io::Result<u64> {
        self.number(schema::ANNOUNCED)
    }
}
