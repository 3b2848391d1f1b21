//! Identities, verifiable random functions, labels, commitments and disclosures.
