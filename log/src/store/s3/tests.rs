//! What is asked of a store again and what is not, by a store that answers as it is told.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::thread::JoinHandle;

use super::*;

/// An answer, or none: the connection is cut once the request is there.
type Answer = Option<(u16, &'static str, &'static str)>;

/// A request's first line and headers, in lower case.
struct Asked(Vec<String>);

impl Asked {
    fn is(&self, method: &str) -> bool {
        self.0[0].starts_with(method)
    }

    fn has(&self, header: &str) -> bool {
        self.0.iter().any(|line| line == header)
    }
}

fn take(stream: &TcpStream) -> Asked {
    let mut reader = BufReader::new(stream);
    let mut lines = Vec::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).unwrap();
        if line.trim().is_empty() {
            break;
        }
        lines.push(line.trim().to_ascii_lowercase());
    }
    let length = lines.iter().find_map(|line| line.strip_prefix("content-length: "));
    let mut body = vec![0; length.map_or(0, |length| length.parse().unwrap())];
    reader.read_exact(&mut body).unwrap();
    Asked(lines)
}

/// A bucket over a store that gives these answers, one after the other, each on a connection of its own.
fn answering(answers: Vec<Answer>) -> (S3, JoinHandle<Vec<Asked>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    let store = std::thread::spawn(move || {
        let asked = answers.into_iter().map(|answer| {
            let (mut stream, _) = listener.accept().unwrap();
            let asked = take(&stream);
            if let Some((status, headers, body)) = answer {
                let length = body.len();
                write!(
                    stream,
                    "HTTP/1.1 {status} X\r\n{headers}Content-Length: {length}\r\nConnection: close\r\n\r\n{body}"
                )
                .unwrap();
            }
            asked
        });
        asked.collect()
    });
    let (key, secret) = ("key".to_owned(), "secret".to_owned());
    let (region, bucket, prefix) = ("us-east-1".to_owned(), "bucket".to_owned(), "log/".to_owned());
    let config = S3Config { endpoint, region, bucket, prefix, key, secret, token: None };
    (S3::new(config).unwrap(), store)
}

const TAG: &str = "ETag: \"one\"\r\n";
const BUSY: Answer = Some((503, "", ""));
const DONE: Answer = Some((200, TAG, ""));

#[test]
fn what_the_store_cannot_do_now_is_asked_again_under_the_same_condition() {
    // Busy, and in the middle of another put of the same name.
    let (bucket, store) = answering(vec![BUSY, Some((409, "", "")), DONE]);
    assert_eq!(bucket.create("a", b"x").unwrap(), Created::Now(Version("\"one\"".to_owned())));
    let asked = store.join().unwrap();
    assert_eq!(asked.len(), 3);
    assert!(asked.iter().all(|one| one.is("put /bucket/log/a?") && one.has("if-none-match: *")));

    let (bucket, store) = answering(vec![BUSY, DONE]);
    let version = Version("\"before\"".to_owned());
    assert_eq!(bucket.replace("a", b"x", &version).unwrap(), Replaced::Now(Version("\"one\"".to_owned())));
    assert!(store.join().unwrap().iter().all(|one| one.has("if-match: \"before\"")));
}

#[test]
fn a_put_whose_answer_was_lost_is_found_done() {
    // It was carried out the first time: the second finds what the first has put there.
    let (bucket, store) = answering(vec![None, Some((412, "", ""))]);
    assert_eq!(bucket.create("a", b"x").unwrap(), Created::Before);
    assert_eq!(store.join().unwrap().len(), 2);
    let (bucket, store) = answering(vec![None, Some((412, "", ""))]);
    assert_eq!(bucket.replace("a", b"x", &Version("\"before\"".to_owned())).unwrap(), Replaced::Other);
    assert_eq!(store.join().unwrap().len(), 2);
}

#[test]
fn a_store_that_stays_away_is_an_error_that_keeps_the_signature_to_itself() {
    let (bucket, store) = answering(vec![BUSY, BUSY, BUSY]);
    let error = bucket.create("a", b"x").unwrap_err().to_string();
    assert!(error.contains("503"), "{error}");
    assert_eq!(store.join().unwrap().len(), 3);
    // Nobody listens any more.
    let error = bucket.get("a").unwrap_err();
    assert!(!format!("{error:?}").to_ascii_lowercase().contains("x-amz"), "{error:?}");
}

#[test]
fn what_asking_again_does_not_change_is_asked_once() {
    for (answer, expected) in [((403, "", ""), "403"), ((200, "", ""), "ETag")] {
        let (bucket, store) = answering(vec![Some(answer)]);
        let error = bucket.create("a", b"x").unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
        assert_eq!(store.join().unwrap().len(), 1);
    }
    let (bucket, store) = answering(vec![Some((404, "", ""))]);
    assert!(bucket.create("a", b"x").unwrap_err().to_string().contains("no such bucket"));
    store.join().unwrap();
    let (bucket, store) = answering(vec![Some((404, "", ""))]);
    assert_eq!(bucket.get("a").unwrap(), None);
    store.join().unwrap();
}

#[test]
fn a_list_goes_on_to_its_last_page() {
    let page = |name: &str, next: &str| -> &'static str {
        let one = format!(
            "<Contents><Key>log/{name}</Key><LastModified>2026-01-01T00:00:00.000Z</LastModified>\
             <ETag>\"e\"</ETag><Size>1</Size><StorageClass>STANDARD</StorageClass></Contents>"
        );
        let next = match next {
            "" => String::new(),
            next => format!("<NextContinuationToken>{next}</NextContinuationToken>"),
        };
        let page = format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?><ListBucketResult xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Name>bucket</Name><Prefix>log/</Prefix>\
             <KeyCount>1</KeyCount><MaxKeys>1</MaxKeys><EncodingType>url</EncodingType>{next}{one}</ListBucketResult>"
        );
        page.leak()
    };
    let pages = [page("a", "more"), page("b", "")];
    let (bucket, store) = answering(pages.map(|page| Some((200, "", page))).to_vec());
    assert_eq!(bucket.list("").unwrap(), ["a", "b"]);
    let asked = store.join().unwrap();
    assert!(asked[1].0[0].contains("continuation-token=more") && !asked[0].0[0].contains("continuation"));
    // Half a page is none.
    let (bucket, store) = answering(vec![Some((
        200,
        "",
        "<ListBucketResult xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Contents>",
    ))]);
    assert_eq!(bucket.list("").unwrap_err().kind(), io::ErrorKind::InvalidData);
    store.join().unwrap();
}
