//! Limits for each client: how fast it may ask, and how many connections it may hold.
//!
//! A client is an address; of IPv6 the first 64 bits, since one host has as many addresses below them as it likes. For
//! each there is one instant, by the generic cell rate algorithm (ITU-T I.371, the token bucket told as a schedule), and a
//! number of connections. Both tables are bounded: connections by those there are at all, instants by [`TRACKED`]. What is
//! over with is forgotten when there is no room, and clients beyond that share one bucket: so a flood from many addresses
//! slows down those who are new and nobody who is known.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Clients whose rate is known each for itself.
const TRACKED: usize = 65_536;
/// How often it is looked for clients that can be forgotten, where there is no room.
const SWEEP: Duration = Duration::from_secs(1);

/// How fast requests may come: `burst` of them at once, and then one each `every`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// Requests at once, at least 1.
    pub burst: u32,
    /// Time in which another one may come.
    pub every: Duration,
}

/// What each client may take. Behind a proxy that hides them all clients are one, and the proxy limits them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ClientLimits {
    /// Requests; `None`: as many as it likes.
    pub rate: Option<Rate>,
    /// Connections at once; `None`: as many as there are.
    pub connections: Option<usize>,
    /// Whether clients on this machine are limited too.
    pub loopback: bool,
}

/// One client.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Client(IpAddr);

impl Client {
    fn new(address: IpAddr) -> Self {
        Self(match address.to_canonical() {
            IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() & !u128::from(u64::MAX)).into(),
            address => address,
        })
    }
}

/// Everybody who is connected, and whoever was lately.
#[derive(Debug)]
pub(super) struct Clients {
    limits: ClientLimits,
    rates: Mutex<Rates>,
    connections: Mutex<HashMap<Client, usize>>,
}

impl Clients {
    pub(super) fn new(limits: ClientLimits) -> Arc<Self> {
        let rates = Mutex::new(Rates::new(TRACKED));
        Arc::new(Self { limits, rates, connections: Mutex::default() })
    }

    /// The client that a connection is of; `None` where it is not limited.
    fn limited(&self, address: IpAddr) -> Option<Client> {
        let none = self.limits.rate.is_none() && self.limits.connections.is_none();
        let exempt = none || (address.to_canonical().is_loopback() && !self.limits.loopback);
        (!exempt).then(|| Client::new(address))
    }

    /// The place of a connection from there; `None` where it is not limited.
    ///
    /// # Errors
    /// [`TooMany`]: its client has as many as it may.
    pub(super) fn connect(self: &Arc<Self>, address: IpAddr) -> Result<Option<Place>, TooMany> {
        self.limited(address).map(|client| self.hold(client)).transpose()
    }

    /// One of a client's places.
    ///
    /// # Errors
    /// [`TooMany`]: it has as many as it may.
    pub(super) fn hold(self: &Arc<Self>, client: Client) -> Result<Place, TooMany> {
        let mut connections = lock(&self.connections);
        let held = connections.get(&client).copied().unwrap_or(0);
        if self.limits.connections.is_some_and(|most| held >= most) {
            return Err(TooMany);
        }
        connections.insert(client, held + 1);
        Ok(Place { clients: Arc::clone(self), client })
    }

    /// Takes a request.
    ///
    /// # Errors
    /// It came too soon: how long until one may come.
    pub(super) fn ask(&self, client: Client, now: Instant) -> Result<(), Duration> {
        let Some(rate) = self.limits.rate else { return Ok(()) };
        lock(&self.rates).take(client, rate, now)
    }
}

/// The tables hold together whenever they are unlocked, whoever panicked.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A client's connections are all taken.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct TooMany;

/// A connection that is counted while this lives.
#[derive(Debug)]
pub(super) struct Place {
    clients: Arc<Clients>,
    client: Client,
}

impl Place {
    /// Whose it is.
    pub(super) fn client(&self) -> Client {
        self.client
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut connections = lock(&self.clients.connections);
        if let Some(held) = connections.get_mut(&self.client) {
            *held -= 1;
            if *held == 0 {
                connections.remove(&self.client);
            }
        }
    }
}

/// For each client the instant at which its bucket is full again.
#[derive(Debug)]
struct Rates {
    full_at: HashMap<Client, Instant>,
    /// That of all for whom there is no room.
    others: Option<Instant>,
    room: usize,
    swept: Option<Instant>,
}

impl Rates {
    fn new(room: usize) -> Self {
        Self { full_at: HashMap::new(), others: None, room, swept: None }
    }

    fn take(&mut self, client: Client, rate: Rate, now: Instant) -> Result<(), Duration> {
        let known = self.full_at.get(&client).copied();
        let has_room = known.is_some() || self.has_room(now);
        let full_at = if has_room { known } else { self.others }.map_or(now, |at| at.max(now));
        // The bucket holds `burst`: what fills it again after this request takes no longer than all of them would.
        let next = full_at + rate.every;
        let early = next.duration_since(now).saturating_sub(rate.every.saturating_mul(rate.burst.max(1)));
        if !early.is_zero() {
            return Err(early);
        }
        if has_room {
            self.full_at.insert(client, next);
        } else {
            self.others = Some(next);
        }
        Ok(())
    }

    fn has_room(&mut self, now: Instant) -> bool {
        let lately = self.swept.is_some_and(|swept| now.saturating_duration_since(swept) < SWEEP);
        if self.full_at.len() >= self.room && !lately {
            self.full_at.retain(|_, at| *at > now);
            self.swept = Some(now);
        }
        self.full_at.len() < self.room
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failed expectation is the test's verdict")]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);
    const RATE: Rate = Rate { burst: 3, every: SECOND };

    fn client(address: &str) -> Client {
        Client::new(address.parse().unwrap())
    }

    #[test]
    fn a_burst_and_then_one_at_a_time() {
        let (mut rates, begin, client) = (Rates::new(8), Instant::now(), client("192.0.2.1"));
        let mut take = |after| rates.take(client, RATE, begin + after);
        for _ in 0..3 {
            assert_eq!(take(Duration::ZERO), Ok(()));
        }
        assert_eq!(take(Duration::ZERO), Err(SECOND));
        assert_eq!(take(SECOND / 4), Err(SECOND * 3 / 4), "who is refused waits no longer for having asked");
        assert_eq!(take(SECOND), Ok(()));
        assert_eq!(take(SECOND), Err(SECOND));
        // After any time, a burst and no more.
        for _ in 0..3 {
            assert_eq!(take(SECOND * 1000), Ok(()));
        }
        assert_eq!(take(SECOND * 1000), Err(SECOND));
    }

    #[test]
    fn memory_is_bounded_and_whoever_is_known_keeps_its_own_bucket() {
        let (mut rates, begin) = (Rates::new(2), Instant::now());
        let [first, second, third, fourth] = ["192.0.2.1", "192.0.2.2", "192.0.2.3", "192.0.2.4"].map(client);
        assert_eq!(rates.take(first, RATE, begin), Ok(()));
        assert_eq!(rates.take(second, RATE, begin), Ok(()));
        // The others share one, and take nothing from those two.
        for other in [third, fourth, third] {
            assert_eq!(rates.take(other, RATE, begin), Ok(()));
        }
        assert_eq!(rates.take(fourth, RATE, begin), Err(SECOND));
        assert_eq!(rates.take(first, RATE, begin), Ok(()));
        assert_eq!(rates.full_at.len(), 2);
        // Once the second's bucket is full it is forgotten, and there is room for one.
        assert_eq!(rates.take(fourth, RATE, begin + SECOND), Ok(()));
        assert!(rates.full_at.contains_key(&fourth) && !rates.full_at.contains_key(&second));
        assert_eq!(rates.full_at.len(), 2);
    }

    #[test]
    fn no_room_is_looked_for_once_in_a_while_only() {
        let (mut rates, begin) = (Rates::new(1), Instant::now());
        let rate = Rate { burst: 3, every: SECOND / 8 };
        assert_eq!(rates.take(client("192.0.2.1"), rate, begin), Ok(()));
        assert_eq!(rates.take(client("192.0.2.2"), rate, begin), Ok(()));
        assert_eq!(rates.take(client("192.0.2.3"), rate, begin + SECOND / 2), Ok(()));
        assert!(rates.full_at.contains_key(&client("192.0.2.1")), "not yet looked for again");
        assert_eq!(rates.take(client("192.0.2.3"), rate, begin + SECOND), Ok(()));
        assert!(rates.full_at.contains_key(&client("192.0.2.3")));
    }

    #[test]
    fn a_client_is_an_address_or_the_network_that_one_host_has() {
        assert_eq!(client("2001:db8::1"), client("2001:db8::ffff:2"));
        assert_ne!(client("2001:db8::1"), client("2001:db8:0:1::1"));
        assert_eq!(client("::ffff:192.0.2.1"), client("192.0.2.1"));
        assert_ne!(client("192.0.2.1"), client("192.0.2.2"));
        let limits = ClientLimits { connections: Some(1), ..ClientLimits::default() };
        let clients = Clients::new(limits);
        for (address, limited) in
            [("127.0.0.1", false), ("::1", false), ("::ffff:127.0.0.9", false), ("192.0.2.1", true)]
        {
            assert_eq!(clients.limited(address.parse().unwrap()).is_some(), limited, "{address}");
        }
        let nothing = Clients::new(ClientLimits { loopback: true, ..ClientLimits::default() });
        assert!(nothing.limited("192.0.2.1".parse().unwrap()).is_none(), "there is nothing to limit");
    }

    #[test]
    fn connections_are_counted_while_they_last() {
        let clients = Clients::new(ClientLimits { connections: Some(2), ..ClientLimits::default() });
        let connect = |address: &str| clients.connect(address.parse().unwrap());
        let held = [connect("192.0.2.1").unwrap(), connect("192.0.2.1").unwrap()];
        assert_eq!(connect("192.0.2.1").unwrap_err(), TooMany);
        assert!(connect("192.0.2.2").unwrap().is_some());
        assert!(connect("127.0.0.1").unwrap().is_none(), "it is not limited, so not counted");
        drop(held);
        assert!(lock(&clients.connections).is_empty(), "nothing is kept of whoever is gone");
        assert!(connect("192.0.2.1").is_ok());
    }
}
