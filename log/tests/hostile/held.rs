//! What a process holds for its clients: answers that nobody reads, bodies that do not end.

use super::*;

/// Has the first bundle be of fifteen megabytes.
async fn fill_bundle(log: &Log) {
    let append = |n: u8| {
        let log = log.clone();
        tokio::spawn(async move { log.append_opaque(vec![n; 60_000]).await })
    };
    for appended in (0..=255).map(append).collect::<Vec<_>>() {
        appended.await.unwrap().unwrap();
    }
}

/// The beginning of what is answered to a client that reads no more of it.
async fn begun(address: &str, client: &str, path: &str) -> ([u8; 12], TcpStream) {
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    // Little of it waits on this side.
    socket.set_recv_buffer_size(4 << 10).unwrap();
    socket.bind(format!("{client}:0").parse().unwrap()).unwrap();
    let mut stream = socket.connect(address.parse().unwrap()).await.unwrap();
    stream.write_all(&get(path)).await.unwrap();
    let mut begun = [0; 12];
    stream.read_exact(&mut begun).await.unwrap();
    (begun, stream)
}

/// Large answers are held for a while, and only so many of them.
#[tokio::test(flavor = "multi_thread")]
async fn answers_that_nobody_reads_hold_so_much_and_for_so_long() {
    let folder = tempfile::tempdir().unwrap();
    let limits = Limits { body: Duration::from_secs(15), ..Limits::default() };
    let (log, address) = start(folder.path(), limits).await;
    fill_bundle(&log).await;
    let asked = || begun(&address, "127.0.0.1", "/api/v2/tile/entries/000");
    let mut unread = Vec::new();
    // Fifteen megabytes each, of 256 in all.
    loop {
        let (begun, stream) = asked().await;
        if &begun == b"HTTP/1.1 503" {
            break;
        }
        unread.push(stream);
        assert!(unread.len() <= 17, "{} of them are held", unread.len());
    }
    assert_eq!(unread.len(), 17);
    // What is small goes on, and the others are cut off.
    assert_eq!(answer(&mut send(&address, &get("/healthz")).await).await.0, 200);
    let room = async {
        while &asked().await.0 != b"HTTP/1.1 200" {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(120), room).await.unwrap();
    drop(unread);
    each_client_has_a_share().await;
}

/// Of that room, which is the process's: in the same test, therefore.
async fn each_client_has_a_share() {
    let folder = tempfile::tempdir().unwrap();
    let (log, address) = start(folder.path(), per_client(None, Some(100))).await;
    fill_bundle(&log).await;
    let asked = |client| begun(&address, client, "/api/v2/tile/entries/000");
    let served = async |client| {
        loop {
            let (status, stream) = asked(client).await;
            if &status == b"HTTP/1.1 200" {
                break stream;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    let whole = async {
        let two = [served("127.0.0.1").await, served("127.0.0.1").await];
        assert_eq!(&asked("127.0.0.1").await.0, b"HTTP/1.1 503");
        let other = served("127.0.0.2").await;
        // What is not held any more is room again.
        drop(two);
        drop((served("127.0.0.1").await, other));
    };
    tokio::time::timeout(Duration::from_secs(120), whole).await.unwrap();
}

/// Bodies that stop before their end are held for a while, and of one client only so many.
#[tokio::test]
async fn bodies_that_do_not_end_take_a_share_and_nothing_of_others() {
    let folder = tempfile::tempdir().unwrap();
    let (_log, address) = start(folder.path(), per_client(None, Some(200))).await;
    let part = [head(256 << 10), vec![b' '; 255 << 10]].concat();
    let mut held = Vec::new();
    // Eight megabytes of it.
    for _ in 0..40 {
        held.push(from("127.0.0.7", &address, &part).await);
    }
    let part = [head(32 << 10), vec![b' '; 31 << 10]].concat();
    let refusals = async {
        loop {
            let mut more = from("127.0.0.7", &address, &part).await;
            let mut told = vec![0; 4096];
            let read = tokio::time::timeout(Duration::from_secs(1), more.read(&mut told)).await;
            match read {
                Ok(Ok(length)) if length > 0 => break String::from_utf8_lossy(&told[..length]).into_owned(),
                // Refused while it still sent.
                Ok(_) => {}
                Err(_) => held.push(more),
            }
        }
    };
    let told = tokio::time::timeout(Duration::from_secs(15), refusals).await.unwrap();
    assert!(told.starts_with("HTTP/1.1 503 ") && told.contains("\r\nretry-after: 5\r\n"), "{told}");
    assert!(told.contains("application/problem+json") && told.contains("log-busy"), "{told}");
    // What is small goes on, and others are served what is large.
    for (client, length) in [("127.0.0.7", 4 << 10), ("127.0.0.8", 200 << 10)] {
        let healthz =
            format!("GET /healthz HTTP/1.1\r\nHost: log\r\nConnection: close\r\nContent-Length: {length}");
        let question = [healthz.into_bytes(), b"\r\n\r\n".to_vec(), vec![b' '; length]].concat();
        let said = ask_from(client, &address, &question).await;
        assert!(said.starts_with("HTTP/1.1 200 "), "{said}");
    }
    drop(held);
}
