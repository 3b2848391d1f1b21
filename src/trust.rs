//! What a verifier trusts.
