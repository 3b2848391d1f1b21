//! One kept HTTP/1.1 connection: as little between the harness and the server as can be.

use std::time::Duration;

use anyhow::Context as _;
use axum::body::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::Request;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use super::Target;

/// An open connection.
pub(super) struct Connection {
    sender: SendRequest<Full<Bytes>>,
}

impl Connection {
    pub(super) async fn open(target: &Target) -> anyhow::Result<Self> {
        let stream = TcpStream::connect(&target.address).await;
        let stream = stream.with_context(|| format!("cannot connect to {}", target.address))?;
        stream.set_nodelay(true)?;
        let (sender, driver) = handshake(TokioIo::new(stream)).await?;
        tokio::spawn(driver);
        Ok(Self { sender })
    }

    /// The status of the answer once its body is read; 0 when there is none in time, and the connection is then of no
    /// more use.
    pub(super) async fn send(&mut self, target: &Target, body: Vec<u8>, patience: Duration) -> u16 {
        let exchange = self.exchange(target, body);
        tokio::time::timeout(patience, exchange).await.ok().and_then(Result::ok).unwrap_or(0)
    }

    async fn exchange(&mut self, target: &Target, body: Vec<u8>) -> anyhow::Result<u16> {
        // The body's end and the connection's readiness are told apart by a moment.
        self.sender.ready().await?;
        let request = Request::post(&target.path)
            .header("host", &target.address)
            .header("content-type", target.content_type)
            .body(Full::new(Bytes::from(body)))?;
        let answer = self.sender.send_request(request).await?;
        let status = answer.status().as_u16();
        answer.into_body().collect().await?;
        Ok(status)
    }
}
