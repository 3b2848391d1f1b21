//! Tables and statements.

use std::io;

use tokio_postgres::Client;

use super::failed;

/// Only one session at a time makes tables: `IF NOT EXISTS` alone fails when two do.
const TABLES: &str = "
BEGIN;
SELECT pg_advisory_xact_lock(8316289203498);
CREATE TABLE IF NOT EXISTS sigveil_log (
    id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    origin text UNIQUE NOT NULL,
    size bigint NOT NULL DEFAULT 0,
    ended boolean NOT NULL DEFAULT false,
    withheld bigint NOT NULL DEFAULT 0
);
CREATE TABLE IF NOT EXISTS sigveil_batch (
    log bigint NOT NULL,
    first bigint NOT NULL,
    next bigint NOT NULL,
    record bytea STORAGE EXTERNAL NOT NULL,
    PRIMARY KEY (log, first)
);
CREATE TABLE IF NOT EXISTS sigveil_leaf (
    log bigint NOT NULL,
    hash bytea NOT NULL,
    index bigint NOT NULL,
    PRIMARY KEY (log, hash)
);
CREATE TABLE IF NOT EXISTS sigveil_leaf_sum (
    log bigint PRIMARY KEY,
    number bigint NOT NULL,
    digest bigint NOT NULL
);
CREATE TABLE IF NOT EXISTS sigveil_withheld (
    log bigint NOT NULL,
    number bigint NOT NULL,
    what bytea NOT NULL,
    PRIMARY KEY (log, number)
);
CREATE TABLE IF NOT EXISTS sigveil_lease (
    log bigint PRIMARY KEY,
    term bigint NOT NULL DEFAULT 0,
    until timestamptz NOT NULL DEFAULT '-infinity',
    published bigint NOT NULL DEFAULT 0,
    erased bigint NOT NULL DEFAULT 0
);
COMMIT";

/// What a session must not inherit from the settings of a role or database: an acknowledged batch is on disk, who waited for
/// the turn sees what was committed meanwhile, and a front end that hangs does not keep the turn.
const SESSION: &str = "
SET synchronous_commit = on;
SET default_transaction_isolation = 'read committed';
SET default_transaction_read_only = off;
SET lock_timeout = 0;
SET statement_timeout = '10s';
SET idle_in_transaction_session_timeout = '5s'";

pub(super) const TURN: &str = "SELECT size, ended FROM sigveil_log WHERE id = $1::bigint FOR UPDATE";
pub(super) const KNOWN: &str = "SELECT hash, index FROM sigveil_leaf WHERE log = $1 AND hash = ANY($2)";
pub(super) const EXTEND: &str = "UPDATE sigveil_log SET size = $3 WHERE id = $1::bigint AND size = $2";
pub(super) const END: &str = "UPDATE sigveil_log SET ended = true WHERE id = $1::bigint RETURNING size";
pub(super) const BATCH: &str = "INSERT INTO sigveil_batch (log, first, next, record) VALUES ($1, $2, $3, $4)";

macro_rules! put_leaves {
    () => {
        "INSERT INTO sigveil_leaf (log, hash, index) SELECT $1, * FROM unnest($2::bytea[], $3::bigint[])
         ON CONFLICT (log, hash) DO UPDATE SET index = excluded.index"
    };
}

/// The row of all leaves: their number and their digest, as `leaves.rs` says it.
macro_rules! sum {
    () => {
        "count(*) AS number, coalesce(bit_xor(
             ('x' || encode(substr(sha256(hash || int8send(index)), 1, 8), 'hex'))::bit(64)::bigint), 0) AS digest"
    };
}

pub(super) const LEAVES: &str = concat!(
    "WITH put AS (",
    put_leaves!(),
    ") INSERT INTO sigveil_leaf_sum AS had (log, number, digest) VALUES ($1, $4, $5) ON CONFLICT (log)
     DO UPDATE SET number = had.number + excluded.number, digest = had.digest # excluded.digest"
);
pub(super) const AGREE: &str = concat!(
    "SELECT last = size - 1 AND (size = 0 OR (found.number, found.digest) IS NOT DISTINCT FROM (had.number, had.digest))
     FROM (SELECT coalesce(max(index), -1) AS last, ",
    sum!(),
    " FROM sigveil_leaf WHERE log = $1) AS found
     CROSS JOIN sigveil_log LEFT JOIN sigveil_leaf_sum AS had ON log = id WHERE id = $1::bigint"
);
pub(super) const FORGET: &str = "DELETE FROM sigveil_leaf WHERE log = $1 AND hash >= $2 AND hash < $3";
pub(super) const PUT: &str = put_leaves!();
pub(super) const SUM: &str = concat!(
    "INSERT INTO sigveil_leaf_sum (log, number, digest) SELECT $1, ",
    sum!(),
    " FROM sigveil_leaf WHERE log = $1
     ON CONFLICT (log) DO UPDATE SET number = excluded.number, digest = excluded.digest"
);
/// Around the statements that read all leaves.
pub(super) const UNHURRIED: &str = "SET statement_timeout = '10min'";
pub(super) const HURRIED: &str = "SET statement_timeout = '10s'";

pub(super) const WITHHOLD: &str =
    "UPDATE sigveil_log SET withheld = withheld + 1 WHERE id = $1::bigint RETURNING withheld";
pub(super) const NOTE: &str = "INSERT INTO sigveil_withheld (log, number, what) VALUES ($1, $2, $3)";
pub(super) const REWRITE: &str = "UPDATE sigveil_batch SET record = $3 WHERE log = $1 AND first = $2";
pub(super) const WITHHELD: &str =
    "SELECT what FROM sigveil_withheld WHERE log = $1 AND number > $2 ORDER BY number";

pub(super) const READ: &str = "
SELECT size, withheld, record FROM sigveil_log LEFT JOIN sigveil_batch ON log = id AND next > $2
WHERE id = $1::bigint ORDER BY first";
pub(super) const TRIM: &str = "DELETE FROM sigveil_batch WHERE log = $1 AND next <= $2";

/// Whether the lease's time is over, or nobody holds the lock of its term.
macro_rules! free {
    () => {
        "(until < clock_timestamp() OR NOT EXISTS (SELECT FROM pg_locks WHERE locktype = 'advisory' AND granted
            AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
            AND classid::bigint = log AND objid::bigint = term % 1000000000 AND objsubid = 2))"
    };
}

pub(super) const FREE: &str = concat!("SELECT FROM sigveil_lease WHERE log = $1 AND ", free!());
pub(super) const TAKE: &str = concat!(
    "UPDATE sigveil_lease SET term = term + 1, until = clock_timestamp() + make_interval(secs => $2)
     WHERE log = $1 AND ",
    free!(),
    " RETURNING term"
);
pub(super) const LOCK: &str = "SELECT pg_try_advisory_lock($1::bigint::int, ($2::bigint % 1000000000)::int)";
pub(super) const UNLOCK: &str = "SELECT pg_advisory_unlock($1::bigint::int, ($2::bigint % 1000000000)::int)";
pub(super) const PROLONG: &str = "
UPDATE sigveil_lease SET until = clock_timestamp() + make_interval(secs => $3)
WHERE log = $1 AND term = $2 RETURNING term";
pub(super) const RELEASE: &str = "UPDATE sigveil_lease SET until = '-infinity' WHERE log = $1 AND term = $2";
pub(super) const ANNOUNCE: &str =
    "UPDATE sigveil_lease SET published = greatest(published, $2) WHERE log = $1";
pub(super) const ANNOUNCED: &str = "SELECT published FROM sigveil_lease WHERE log = $1";
pub(super) const ANNOUNCE_ERASED: &str =
    "UPDATE sigveil_lease SET erased = greatest(erased, $2) WHERE log = $1";
pub(super) const ERASED: &str = "SELECT erased FROM sigveil_lease WHERE log = $1";

/// Has the tables and the log's rows there, and returns the log's number.
pub(super) async fn open(client: &Client, origin: &str) -> io::Result<i64> {
    client.batch_execute(SESSION).await.map_err(failed)?;
    let fsync: String = client.query_one("SHOW fsync", &[]).await.map_err(failed)?.get(0);
    if fsync != "on" {
        return Err(io::Error::other(
            "the database: it runs with fsync = off, and loses what it acknowledged",
        ));
    }
    client.batch_execute(TABLES).await.map_err(failed)?;
    client
        .execute("INSERT INTO sigveil_log (origin) VALUES ($1) ON CONFLICT (origin) DO NOTHING", &[&origin])
        .await
        .map_err(failed)?;
    let row = client
        .query_one("SELECT id::bigint FROM sigveil_log WHERE origin = $1", &[&origin])
        .await
        .map_err(failed)?;
    let log: i64 = row.get(0);
    client
        .execute("INSERT INTO sigveil_lease (log) VALUES ($1) ON CONFLICT (log) DO NOTHING", &[&log])
        .await
        .map_err(failed)?;
    Ok(log)
}
