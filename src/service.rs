//! Running parts.
