//! GET with limits.

use std::time::Duration;

use reqwest::{Client, Url, redirect};

use super::DEFAULT_TIMEOUT;

/// How documents may be fetched.
#[derive(Clone, Copy, Debug)]
pub struct FetchPolicy {
    /// Whether plain HTTP to a loopback address is allowed: for embedded issuers and tests.
    pub allow_loopback_http: bool,
    /// Limit of one fetch, connection included.
    pub timeout: Duration,
}

impl Default for FetchPolicy {
    fn default() -> Self {
        Self { allow_loopback_http: false, timeout: DEFAULT_TIMEOUT }
    }
}

/// Why a document could not be fetched.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FetchError {
    /// No URL, or neither HTTPS nor, where allowed, HTTP on loopback.
    #[error("the address is not HTTPS")]
    Insecure,
    /// No connection, or it broke.
    #[error("the server cannot be reached")]
    Unreachable,
    /// No answer in time.
    #[error("the server did not answer in time")]
    Timeout,
    /// An answer other than 200.
    #[error("the server answered with an error or a redirect")]
    Status,
    /// The answer is longer than allowed.
    #[error("the answer is too large")]
    TooLarge,
}

impl FetchError {
    /// Stable reason code.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Insecure => "oidc-insecure-url",
            Self::Unreachable => "oidc-unreachable",
            Self::Timeout => "oidc-timeout",
            Self::Status => "oidc-status",
            Self::TooLarge => "oidc-too-large",
        }
    }
}

pub(super) struct Fetcher {
    client: Client,
    policy: FetchPolicy,
}

impl Fetcher {
    pub(super) fn new(policy: FetchPolicy) -> Result<Self, FetchError> {
        let client = Client::builder().timeout(policy.timeout).redirect(redirect::Policy::none()).no_proxy();
        Ok(Self { client: client.build().map_err(|_| FetchError::Unreachable)?, policy })
    }

    pub(super) async fn get(&self, address: &str, limit: usize) -> Result<Vec<u8>, FetchError> {
        let url = self.check(address)?;
        let mut response = self.client.get(url).send().await.map_err(classify)?;
        if response.status() != reqwest::StatusCode::OK {
            return Err(FetchError::Status);
        }
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(classify)? {
            if body.len() + chunk.len() > limit {
                return Err(FetchError::TooLarge);
            }
            body.extend_from_slice(&chunk);
        }
        Ok(body)
    }

    fn check(&self, address: &str) -> Result<Url, FetchError> {
        let url = Url::parse(address).map_err(|_| FetchError::Insecure)?;
        // Names are no loopback address here, not even `localhost`: a resolver decides about those.
        let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
        let loopback = host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback());
        match url.scheme() {
            "https" => Ok(url),
            "http" if loopback && self.policy.allow_loopback_http => Ok(url),
            _ => Err(FetchError::Insecure),
        }
    }
}

fn classify(error: reqwest::Error) -> FetchError {
    if error.is_timeout() { FetchError::Timeout } else { FetchError::Unreachable }
}
