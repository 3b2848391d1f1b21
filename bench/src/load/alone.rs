//! One client on one connection, without a runtime: it blocks where it waits, so that a latency holds as little of the
//! harness as can be.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use anyhow::{Context as _, anyhow, bail, ensure};
use httparse::{EMPTY_HEADER, Response, Status};

use super::connection::Answer;
use super::{Asked, Observed, PATIENCE, Target};
use crate::machine::cpu_seconds;

/// The longest answer that is taken.
const LONGEST: usize = 1 << 20;
const MOST_HEADERS: usize = 32;

/// Sends requests one after the other until the span is over or none is left.
pub(super) fn closed(target: &Target, asks: &[Vec<u8>], span: Duration) -> anyhow::Result<Observed> {
    let requests = asks.iter().map(|ask| request(target, ask)).collect::<anyhow::Result<Vec<_>>>()?;
    let mut line = Line::open(target)?;
    let mut observed = Observed::new()?;
    let (start, own) = (Instant::now(), cpu_seconds());
    let mut in_calls = Duration::ZERO;
    for request in &requests {
        let sent = Instant::now();
        if sent - start >= span {
            break;
        }
        let answer = line.send(request, &mut in_calls).ok();
        let lost = answer.is_none();
        observed.add(answer, target.success, sent.elapsed());
        if lost {
            line = Line::open(target)?;
        }
    }
    let wall = start.elapsed();
    observed.own = cpu_seconds() - own;
    observed.end(wall.as_secs_f64());
    observed.between_calls = wall.saturating_sub(in_calls).as_secs_f64();
    Ok(observed)
}

/// A request as it goes over the connection.
fn request(target: &Target, ask: &[u8]) -> anyhow::Result<Vec<u8>> {
    let (path, host) = (&target.path, &target.address);
    Ok(match target.asked {
        Asked::Post(content_type) => {
            let head = format!(
                "POST {path} HTTP/1.1\r\nhost: {host}\r\ncontent-type: {content_type}\r\ncontent-length: {}\r\n\r\n",
                ask.len()
            );
            [head.as_bytes(), ask].concat()
        }
        Asked::Get => {
            let key = std::str::from_utf8(ask)?;
            format!("GET {path}/{key} HTTP/1.1\r\nhost: {host}\r\n\r\n").into_bytes()
        }
    })
}

/// A kept connection.
struct Line {
    stream: TcpStream,
    buffer: Vec<u8>,
}

impl Line {
    fn open(target: &Target) -> anyhow::Result<Self> {
        let stream = TcpStream::connect(&target.address);
        let stream = stream.with_context(|| format!("cannot connect to {}", target.address))?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        Ok(Self { stream, buffer: vec![0; LONGEST] })
    }

    /// Adds what it spends in the calls that send and receive.
    fn send(&mut self, request: &[u8], in_calls: &mut Duration) -> anyhow::Result<Answer> {
        timed(in_calls, || self.stream.write_all(request))?;
        let mut filled = 0;
        loop {
            let more = timed(in_calls, || self.stream.read(&mut self.buffer[filled..]))?;
            ensure!(more > 0, "the connection ended within an answer, or the answer is too long");
            filled += more;
            if let Some(answer) = parse(&self.buffer[..filled])? {
                return Ok(answer);
            }
        }
    }
}

fn timed<T>(sum: &mut Duration, call: impl FnOnce() -> T) -> T {
    let start = Instant::now();
    let out = call();
    *sum += start.elapsed();
    out
}

/// An answer (RFC 9112), once it is there as a whole.
fn parse(bytes: &[u8]) -> anyhow::Result<Option<Answer>> {
    let mut headers = [EMPTY_HEADER; MOST_HEADERS];
    let mut head = Response::new(&mut headers);
    let Status::Complete(end) = head.parse(bytes)? else { return Ok(None) };
    let (status, rest) = (head.code.context("no status line")?, &bytes[end..]);
    let (mut length, mut chunked) = (None, false);
    for header in head.headers.iter() {
        if header.name.eq_ignore_ascii_case("content-length") {
            length = Some(std::str::from_utf8(header.value)?.parse::<usize>()?);
        } else if header.name.eq_ignore_ascii_case("transfer-encoding") {
            chunked = header.value.eq_ignore_ascii_case(b"chunked");
        }
    }
    let body = match (length, chunked) {
        (_, true) => chunks(rest)?,
        (Some(length), false) => (rest.len() >= length).then_some(length),
        (None, false) if status == 204 => Some(0),
        (None, false) => bail!("an answer without a length"),
    };
    Ok(body.map(|bytes| Answer { status, bytes }))
}

/// Bytes in a body of chunks, once the last is there.
fn chunks(mut rest: &[u8]) -> anyhow::Result<Option<usize>> {
    let mut sum = 0;
    loop {
        let line = httparse::parse_chunk_size(rest).map_err(|_| anyhow!("a chunk without a size"))?;
        let Status::Complete((begin, size)) = line else { return Ok(None) };
        let size = usize::try_from(size)?;
        ensure!(size <= LONGEST, "a chunk is too long");
        // The chunk, and the end of its line; of the last one, no trailers.
        let Some(next) = rest.get(begin + size + 2..) else { return Ok(None) };
        if size == 0 {
            return Ok(Some(sum));
        }
        (sum, rest) = (sum + size, next);
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failed expectation is the test's verdict")]
mod tests {
    use super::*;

    const STALL: Duration = Duration::from_millis(50);

    #[test]
    fn an_answer_is_there_when_its_last_byte_is() {
        let whole = "HTTP/1.1 201 Created\r\nContent-Length: 3\r\n\r\nabc";
        let parts =
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n2;x=y\r\nde\r\n0\r\n\r\n";
        for (text, status, bytes) in [(whole, 201, 3), (parts, 200, 5)] {
            for end in 0..text.len() {
                assert!(parse(&text.as_bytes()[..end]).unwrap().is_none(), "{end} of {text:?}");
            }
            let answer = parse(text.as_bytes()).unwrap().unwrap();
            assert_eq!((answer.status, answer.bytes), (status, bytes));
        }
        for wrong in
            ["HTTP/1.1 200 OK\r\n\r\n", "SSH-2.0\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n"]
        {
            assert!(parse(wrong.as_bytes()).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn one_client_sends_every_request_once_and_counts_what_comes_back() {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let turns = std::sync::Arc::new(std::sync::atomic::AtomicUsize::new(0));
        let seen = turns.clone();
        let answer = move |body: axum::body::Bytes| {
            let turn = seen.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            let status =
                if turn == 2 { axum::http::StatusCode::CONFLICT } else { axum::http::StatusCode::CREATED };
            async move {
                if turn == 1 {
                    tokio::time::sleep(STALL).await;
                }
                (status, body)
            }
        };
        let router = axum::Router::new().route("/add", axum::routing::post(answer));
        let address = runtime.block_on(async {
            let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
            let address = listener.local_addr().unwrap().to_string();
            tokio::spawn(async move { axum::serve(listener, router).await });
            address
        });
        let asked = Asked::Post("application/json");
        let target = Target { address, further: Vec::new(), path: "/add".to_owned(), asked, success: 201 };
        let asks = [vec![b'a'; 10], vec![b'b'; 10], vec![b'c'; 10], vec![b'd'; 10]];
        let observed = closed(&target, &asks, Duration::from_secs(60)).unwrap();
        assert_eq!(turns.load(std::sync::atomic::Ordering::Relaxed), 4);
        assert_eq!((observed.done(), observed.failed.get(&409)), (3, Some(&1)));
        assert_eq!(observed.bytes, 40);
        // What the server takes is none of the harness's own.
        assert!(
            0.0 < observed.between_calls && observed.between_calls <= observed.wall - STALL.as_secs_f64()
        );
        // The span is over before the first.
        assert_eq!(closed(&target, &asks, Duration::ZERO).unwrap().done(), 0);
    }
}
