//! Verifiable search: the Merkle map over the logs, its proofs, the indexer and monitors.
