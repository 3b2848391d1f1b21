//! Transparency log: Merkle tree, tiles, checkpoints, engine, Rekor v2 and static-ct faces, redaction.
