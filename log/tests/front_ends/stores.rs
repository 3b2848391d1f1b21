//! What the engine asks of the stores that front ends share, asked of the real ones.

use std::sync::Arc;
use std::time::Duration;

use sigveil_log::store::bucket::{Bucket, Created, Replaced};
use sigveil_log::store::postgres::Postgres;
use sigveil_log::store::shared::Connect as _;

use crate::common::servers::{self, Labelled, Server};

/// How many of eight that try at once succeed.
fn race<B: Bucket + 'static>(
    bucket: &Arc<B>,
    run: impl Fn(&B, u8) -> bool + Clone + Send + 'static,
) -> usize {
    let one = |n| {
        let (bucket, run) = (Arc::clone(bucket), run.clone());
        std::thread::spawn(move || run(&bucket, n))
    };
    let racing: Vec<_> = (0..8).map(one).collect();
    racing.into_iter().map(|one| one.join().unwrap()).filter(|won| *won).count()
}

/// The conditions that the engine asks of a bucket, asked of the real one, eight at a time.
#[test]
fn a_bucket_creates_once_and_replaces_what_is_known() {
    let Some(server) = servers::s3() else { return };
    let bucket = Arc::new(servers::bucket(&server.endpoint(), &servers::fresh()));
    for _ in 0..5 {
        assert_eq!(bucket.get("a/b").unwrap(), None);
        let created = race(&bucket, |bucket, n| matches!(bucket.create("a/b", &[n]), Ok(Created::Now(_))));
        assert_eq!(created, 1);
        let (_, version) = bucket.get("a/b").unwrap().unwrap();
        let replaced = race(&bucket, move |bucket, n| {
            matches!(bucket.replace("a/b", &[100 + n], &version), Ok(Replaced::Now(_)))
        });
        assert_eq!(replaced, 1);
        let (bytes, version) = bucket.get("a/b").unwrap().unwrap();
        assert!(bytes[0] >= 100);
        assert!(matches!(bucket.replace("a/b", b"new", &version).unwrap(), Replaced::Now(_)));
        assert_eq!(bucket.replace("a/b", b"newer", &version).unwrap(), Replaced::Other);
        assert_eq!(bucket.replace("a/x", b"newer", &version).unwrap(), Replaced::Other);
        assert_eq!(bucket.list("a/").unwrap(), ["a/b"]);
        bucket.remove("a/b").unwrap();
        bucket.remove("a/b").unwrap();
    }
    let Some(other) = Server::s3() else { return };
    let gone = servers::bucket(&other.endpoint(), "gone");
    other.stop();
    assert!(gone.get("checkpoint").is_err() && gone.create("checkpoint", b"").is_err());
}

#[test]
fn a_lease_goes_to_the_next_when_its_holder_ends_or_its_time_is_over() {
    let Some(server) = servers::postgres() else { return };
    let order = Labelled::new(&server.address(), &servers::fresh());
    let (long, short) = (Duration::from_secs(600), Duration::from_millis(50));
    let connect = || order.connect("log.example").unwrap();
    let (mut one, mut two) = (connect(), connect());
    assert!(one.lease(long).unwrap() && one.lease(long).unwrap(), "prolonged");
    assert!(!two.lease(long).unwrap(), "held by another");
    one.release().unwrap();
    assert!(two.lease(long).unwrap(), "given up");
    assert!(!one.lease(long).unwrap());
    drop(two);
    while !one.lease(short).unwrap() {
        std::thread::sleep(Duration::from_millis(5));
    }
    let mut three = connect();
    while !three.lease(long).unwrap() {
        std::thread::sleep(Duration::from_millis(5));
    }
    assert!(!one.lease(long).unwrap(), "its time was over, and it learns so");
    assert_eq!(three.announced().unwrap(), 0);
    three.announce(7).unwrap();
    one.announce(5).unwrap();
    assert_eq!(one.announced().unwrap(), 7, "the largest counts");
}

#[test]
fn a_database_that_forgets_is_refused() {
    let Some(server) = Server::postgres(&["fsync=off"]) else { return };
    let error = Postgres::new(&server.address()).unwrap().connect("log.example").unwrap_err();
    assert!(error.to_string().contains("fsync"), "{error}");
    assert!(Postgres::new("host=127.0.0.1 port=many").is_err());
    let address = server.address();
    server.stop();
    assert!(Postgres::new(&address).unwrap().connect("log.example").is_err());
}
