//! Connections with limits of time and number.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderValue, header};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::Response;
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;

use super::problem;

/// Largest body that is read for any face; each has a smaller limit of its own.
const MAX_BODY: usize = 1 << 20;
/// How long after the system refused a connection the next is asked for: it is short of something, such as files.
const REFUSED: Duration = Duration::from_millis(50);
/// Connections that the system holds until they are taken. Beyond 128, the usual number, it answers with SYN cookies, and
/// some of those clients find their connection reset.
const WAITING: i32 = 4096;

/// What one client may take.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Time for the head of a request, from the connection's beginning or the last answer: so idle connections end too.
    pub head: Duration,
    /// Time for the body of a request.
    pub body: Duration,
    /// Time after which a connection ends with the request it is at, so that whoever does not read its answers holds
    /// none for ever. What is not answered [`Limits::body`] later is cut off.
    pub lifetime: Duration,
    /// Connections at once; further ones wait in the system's queue.
    pub connections: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            head: Duration::from_secs(30),
            body: Duration::from_secs(20),
            lifetime: Duration::from_secs(600),
            connections: 4096,
        }
    }
}

/// Serves HTTP/1.1 until the task is dropped. A body that is not whole in time is answered with 408; a head that is not
/// ends the connection without an answer, since there is no request yet to be answered.
pub async fn serve(listener: TcpListener, router: Router, limits: Limits) {
    let router = router.layer(from_fn_with_state(limits, read_body));
    if let Err(error) = rustix::net::listen(&listener, WAITING) {
        tracing::warn!(%error, "fewer connections can wait to be taken");
    }
    let places = Arc::new(Semaphore::new(limits.connections));
    loop {
        let place = Arc::clone(&places).acquire_owned().await.expect("nobody closes it");
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            Err(error) => {
                tracing::warn!(%error, "a connection could not be taken");
                tokio::time::sleep(REFUSED).await;
                continue;
            }
        };
        // Answers are written whole: none waits for the client's acknowledgement of the one before.
        let _ = stream.set_nodelay(true);
        let service = TowerToHyperService::new(router.clone());
        tokio::spawn(async move {
            let mut http = http1::Builder::new();
            http.timer(TokioTimer::new()).header_read_timeout(limits.head);
            let mut connection = pin!(http.serve_connection(TokioIo::new(stream), service));
            // Whoever breaks off, or sends what is no HTTP, has ended its own connection only.
            if tokio::time::timeout(limits.lifetime, connection.as_mut()).await.is_err() {
                connection.as_mut().graceful_shutdown();
                let _ = tokio::time::timeout(limits.body, connection).await;
            }
            drop(place);
        });
    }
}

/// Hands requests on once they are whole.
async fn read_body(State(limits): State<Limits>, request: Request, next: Next) -> Response {
    let (parts, body) = request.into_parts();
    let body = tokio::time::timeout(limits.body, Limited::new(body, MAX_BODY).collect()).await;
    let mut refused = match body {
        Ok(Ok(body)) => return next.run(Request::from_parts(parts, Body::from(body.to_bytes()))).await,
        Ok(Err(error)) if error.is::<LengthLimitError>() => {
            problem(413, "request-too-large", "the request's body is too large")
        }
        Ok(Err(_)) => problem(400, "request-malformed", "the request's body is not whole"),
        Err(_) => problem(408, "request-timeout", "the request's body took too long"),
    };
    refused.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    refused
}
