//! What each client may take.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use sigveil_log::http::{ClientLimits, Rate};

/// What each client may take of each role; whoever is on this machine may take all. A client is an IPv4 address or an
/// IPv6 network of 64 bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClientsConfig {
    /// Requests per second in the long run; 0: as many as it likes.
    pub requests_per_second: u32,
    /// Requests at once.
    pub burst: u32,
    /// Connections at once; 0: as many as there are.
    pub connections: usize,
}

impl Default for ClientsConfig {
    fn default() -> Self {
        Self { requests_per_second: 200, burst: 2000, connections: 64 }
    }
}

impl ClientsConfig {
    /// As the faces take them.
    pub fn limits(self) -> ClientLimits {
        let every = Duration::from_secs(1).checked_div(self.requests_per_second);
        ClientLimits {
            rate: every.map(|every| Rate { burst: self.burst, every }),
            connections: (self.connections > 0).then_some(self.connections),
            loopback: false,
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failed expectation is the test's verdict")]
mod tests {
    use super::*;
    use crate::service::config::{Config, TEMPLATE};

    #[test]
    fn limits_of_clients_are_what_the_template_says_or_none() {
        let config = Config::from_toml(TEMPLATE).unwrap();
        assert_eq!(config.clients, ClientsConfig::default());
        let rate = Rate { burst: 2000, every: Duration::from_millis(5) };
        let limits = ClientLimits { rate: Some(rate), connections: Some(64), loopback: false };
        assert_eq!(config.clients.limits(), limits);
        let none = ClientsConfig { requests_per_second: 0, burst: 0, connections: 0 };
        assert_eq!(none.limits(), ClientLimits::default());
    }
}
