//! What runs or proves: the embedded identity provider, the client's network, all roles in one process, the demo.

pub mod adapters;
pub mod circuits;
pub mod client;
pub mod config;
pub mod demo;
pub mod folder;
pub mod instance;
pub mod issuer;
pub mod keys;
pub mod login;
pub mod logs;
pub mod material;
pub mod mirror;
pub mod monitor;
pub mod redaction;
pub mod runtime;
pub mod serve;
pub mod sign;
pub mod stop;
