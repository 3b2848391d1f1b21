//! One kept HTTP/1.1 connection: as little between the harness and the server as can be.

use std::time::Duration;

use anyhow::Context as _;
use axum::body::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::Request;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use super::{Asked, Target};

/// What came back.
pub(super) struct Answer {
    pub(super) status: u16,
    /// Of the body.
    pub(super) bytes: usize,
}

/// An open connection.
pub(super) struct Connection {
    address: String,
    sender: SendRequest<Full<Bytes>>,
}

impl Connection {
    pub(super) async fn open(target: &Target, number: usize) -> anyhow::Result<Self> {
        let address = target.of_connection(number).to_owned();
        let stream = TcpStream::connect(&address).await;
        let stream = stream.with_context(|| format!("cannot connect to {address}"))?;
        stream.set_nodelay(true)?;
        let (sender, driver) = handshake(TokioIo::new(stream)).await?;
        tokio::spawn(driver);
        Ok(Self { address, sender })
    }

    /// The answer once its body is read; none when there is none in time, and the connection is then of no more use.
    pub(super) async fn send(&mut self, target: &Target, ask: Vec<u8>, patience: Duration) -> Option<Answer> {
        let exchange = self.exchange(target, ask);
        tokio::time::timeout(patience, exchange).await.ok().and_then(Result::ok)
    }

    async fn exchange(&mut self, target: &Target, ask: Vec<u8>) -> anyhow::Result<Answer> {
        // The body's end and the connection's readiness are told apart by a moment.
        self.sender.ready().await?;
        let (request, body) = match target.asked {
            Asked::Post(content_type) => {
                (Request::post(&target.path).header("content-type", content_type), Bytes::from(ask))
            }
            Asked::Get => {
                (Request::get(format!("{}/{}", target.path, std::str::from_utf8(&ask)?)), Bytes::new())
            }
        };
        let request = request.header("host", &self.address).body(Full::new(body))?;
        let answer = self.sender.send_request(request).await?;
        let status = answer.status().as_u16();
        let bytes = answer.into_body().collect().await?.to_bytes().len();
        Ok(Answer { status, bytes })
    }
}
