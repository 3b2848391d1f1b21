//! Certificate authority: token checking, certificate profile, issuance, timestamps.
