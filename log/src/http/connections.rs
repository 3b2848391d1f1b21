//! Connections with limits of time and number.

use std::io::{Read as _, Write as _};
use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::{Next, from_fn, from_fn_with_state};
use axum::response::Response;
use hyper::body::Body as _;
use hyper::server::conn::http1;
use hyper::service::{Service as _, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio_io_timeout::TimeoutStream;

use super::clients::{Client, ClientLimits, Clients, Place};
use super::{bodies, held, problem, problem_body};

/// Bytes of a connection after which no more are taken before these are read. A head that is still not whole is refused; one
/// read may have brought as many again.
const MAX_HELD: usize = 64 << 10;
/// How long after the system refused a connection the next is asked for: it is short of something, such as files.
const REFUSED: Duration = Duration::from_millis(50);
/// Connections that the system holds until they are taken. Beyond 128, the usual number, it answers with SYN cookies, and
/// some of those clients find their connection reset.
const HELD_BY_SYSTEM: i32 = 4096;

/// What those are told who find no place in time, or none to wait.
const CROWDED: &str = "there are too many connections already";

/// What may be taken of a face.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Time for the head of a request, from the connection's beginning or the last answer: so idle connections end too.
    pub head: Duration,
    /// Time for the body of a request, and of an answer for any part of it to be taken.
    pub body: Duration,
    /// Time after which a connection ends with the request it is at, so that whoever does not read its answers holds
    /// none for ever. What is not answered [`Limits::body`] later is cut off.
    pub lifetime: Duration,
    /// Connections at once.
    pub connections: usize,
    /// Further ones that wait for a place, each for twice [`Limits::head`], so that those which only hold one are over by then.
    /// Those beyond are told so at once: left to the system's queue, when that is full, their clients ask ever more seldom,
    /// and long after there is room.
    pub waiting: usize,
    /// What each client may take; by default there is no such limit.
    pub client: ClientLimits,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            head: Duration::from_secs(30),
            body: Duration::from_secs(20),
            lifetime: Duration::from_secs(600),
            connections: 4096,
            waiting: 4096,
            client: ClientLimits::default(),
        }
    }
}

/// The end of what one process serves: nothing new is taken, and what was asked is answered.
#[derive(Clone, Debug, Default)]
pub struct Shutdown(Arc<watch::Sender<bool>>);

impl Shutdown {
    /// Has faces take no more connections and requests.
    pub fn begin(&self) {
        self.0.send_replace(true);
    }

    /// Waits until all connections have ended, and no longer than this; whether they have.
    pub async fn ended(&self, within: Duration) -> bool {
        tokio::time::timeout(within, self.0.closed()).await.is_ok()
    }
}

/// Waits until it begins. Whoever holds the receiver has not ended.
async fn begun(shutdown: &mut watch::Receiver<bool>) {
    // Without a sender nobody can ask for it any more.
    if shutdown.wait_for(|begun| *begun).await.is_err() {
        std::future::pending().await
    }
}

/// As [`serve_until`], until the task is dropped.
pub async fn serve(listener: TcpListener, router: Router, limits: Limits) {
    serve_until(listener, router, limits, &Shutdown::default()).await;
}

/// Serves HTTP/1.1 until `shutdown` begins. A body that is not whole in time is answered with 408; a head that is not
/// ends the connection without an answer, since there is no request yet to be answered. What a client takes beyond its own
/// limits is answered with 429, and whoever finds no place with 503.
pub async fn serve_until(listener: TcpListener, router: Router, limits: Limits, shutdown: &Shutdown) {
    allow_many_files();
    let mut ending = shutdown.0.subscribe();
    let clients = Clients::new(limits.client);
    // The first is the outermost. Added one by one, each would box the service anew.
    let router = router.layer((
        from_fn_with_state(Arc::clone(&clients), keep_to_rate),
        from_fn(hold_answer),
        from_fn_with_state(limits, read_body),
    ));
    if let Err(error) = rustix::net::listen(&listener, HELD_BY_SYSTEM) {
        tracing::warn!(%error, "fewer connections can wait to be taken");
    }
    let (places, waiting) =
        (Arc::new(Semaphore::new(limits.connections)), Arc::new(Semaphore::new(limits.waiting)));
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = begun(&mut ending) => return,
        };
        let (stream, address) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::warn!(%error, "a connection could not be taken");
                tokio::time::sleep(REFUSED).await;
                continue;
            }
        };
        // Answers are written whole: none waits for the client's acknowledgement of the one before.
        let _ = stream.set_nodelay(true);
        let Ok(own_place) = clients.connect(address.ip()) else {
            refuse(stream, StatusCode::TOO_MANY_REQUESTS, "this address has too many connections already");
            continue;
        };
        // Of a place that is free nobody before waits any more.
        let place = match Arc::clone(&places).try_acquire_owned() {
            Ok(place) => Ok(place),
            Err(_) => match Arc::clone(&waiting).try_acquire_owned() {
                Ok(waits) => Err(waits),
                Err(_) => {
                    refuse(stream, StatusCode::SERVICE_UNAVAILABLE, CROWDED);
                    continue;
                }
            },
        };
        let client = own_place.as_ref().map(Place::client);
        let face = TowerToHyperService::new(router.clone());
        let service = service_fn(move |mut request: hyper::Request<hyper::body::Incoming>| {
            if let Some(client) = client {
                request.extensions_mut().insert(client);
            }
            face.call(request)
        });
        let (mut ending, places) = (ending.clone(), Arc::clone(&places));
        tokio::spawn(async move {
            let place = match place {
                Ok(place) => place,
                Err(waits) => {
                    let place = tokio::select! {
                        place = tokio::time::timeout(2 * limits.head, places.acquire_owned()) => place,
                        () = begun(&mut ending) => return,
                    };
                    drop(waits);
                    let Ok(Ok(place)) = place else {
                        refuse(stream, StatusCode::SERVICE_UNAVAILABLE, CROWDED);
                        return;
                    };
                    place
                }
            };
            let mut http = http1::Builder::new();
            http.timer(TokioTimer::new()).header_read_timeout(limits.head).max_buf_size(MAX_HELD);
            // Whoever reads nothing for so long has the answer for no longer.
            let mut stream = TimeoutStream::new(stream);
            stream.set_write_timeout(Some(limits.body));
            let mut connection = pin!(http.serve_connection(TokioIo::new(Box::pin(stream)), service));
            // Whoever breaks off, or sends what is no HTTP, has ended its own connection only.
            let over = tokio::select! {
                _ = connection.as_mut() => false,
                () = tokio::time::sleep(limits.lifetime) => true,
                () = begun(&mut ending) => true,
            };
            if over {
                connection.as_mut().graceful_shutdown();
                let _ = tokio::time::timeout(limits.body, connection).await;
            }
            drop((place, own_place, ending));
        });
    }
}

/// Tells a client that connections are too many, without waiting for a request, which would take another one's place.
/// A connection that is new takes these few bytes at once.
fn refuse(stream: TcpStream, status: StatusCode, detail: &str) {
    let body = problem_body(status, "too-many-connections", detail);
    let answer = format!(
        "HTTP/1.1 {status}\r\ncontent-type: application/problem+json\r\nretry-after: 5\r\nconnection: close\r\n\
         content-length: {}\r\n\r\n{body}",
        body.len(),
    );
    // Whoever does not get it finds the connection ended.
    let Ok(mut stream) = stream.into_std() else { return };
    let _ = stream.write_all(answer.as_bytes());
    // What it has asked: left unread, it has the system end the connection by a reset, which may take the answer with it.
    let (mut asked, mut read) = ([0; 8 << 10], 0);
    while read < MAX_HELD {
        match stream.read(&mut asked) {
            Ok(length) if length > 0 => read += length,
            _ => return,
        }
    }
}

/// Refuses requests that come too fast, before their body is read.
async fn keep_to_rate(State(clients): State<Arc<Clients>>, request: Request, next: Next) -> Response {
    let client = request.extensions().get::<Client>().copied();
    let Some(Err(early)) = client.map(|client| clients.ask(client, Instant::now())) else {
        return next.run(request).await;
    };
    let mut refused = problem(429, "rate-limited", "requests from this address come too fast");
    let seconds = early.as_secs() + u64::from(early.subsec_nanos() > 0);
    refused.headers_mut().insert(header::RETRY_AFTER, seconds.into());
    if !request.body().is_end_stream() {
        refused.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    refused
}

/// Holds large answers until they are sent.
async fn hold_answer(request: Request, next: Next) -> Response {
    let client = request.extensions().get::<Client>().copied();
    held::answer(next.run(request).await, client).await
}

/// Has this process have as many files as it may: connections are files, and so is what a log is written to.
fn allow_many_files() {
    let limit = getrlimit(Resource::Nofile);
    // Where it may not be raised, there are fewer connections, and the system says so.
    let _ = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum });
}

/// Hands requests on once they are whole.
async fn read_body(State(limits): State<Limits>, request: Request, next: Next) -> Response {
    let (parts, body) = request.into_parts();
    let client = parts.extensions.get::<Client>().copied();
    let mut refused = match tokio::time::timeout(limits.body, bodies::whole(body, client)).await {
        Ok(Ok(body)) => return next.run(Request::from_parts(parts, Body::from(body))).await,
        Ok(Err(not_taken)) => not_taken.problem(),
        Err(_) => problem(408, "request-timeout", "the request's body took too long"),
    };
    refused.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    refused
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests fail by panicking")]
mod tests {
    use axum::routing::get;
    use tokio::sync::Notify;

    use super::*;

    #[tokio::test]
    async fn what_was_asked_before_the_end_is_answered_and_nothing_after_it() {
        let (asked, answer) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
        let (seen, told) = (asked.clone(), answer.clone());
        let held = move || async move {
            seen.notify_one();
            told.notified().await;
            "answer"
        };
        let router = Router::new().route("/held", get(held)).route("/", get(|| async {}));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let shutdown = Shutdown::default();
        let end = shutdown.clone();
        let serving =
            tokio::spawn(async move { serve_until(listener, router, Limits::default(), &end).await });
        // One connection is kept and idle, another waits for its answer.
        let idle = reqwest::Client::new();
        idle.get(&url).send().await.unwrap();
        let waiting = tokio::spawn(reqwest::get(format!("{url}/held")));
        asked.notified().await;
        shutdown.begin();
        serving.await.unwrap();
        assert!(!shutdown.ended(Duration::from_millis(50)).await, "an answer is owed");
        assert!(idle.get(&url).send().await.is_err());
        answer.notify_one();
        assert_eq!(waiting.await.unwrap().unwrap().text().await.unwrap(), "answer");
        assert!(shutdown.ended(Duration::from_secs(60)).await);
    }
}
