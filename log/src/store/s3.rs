//! Buckets of S3 and of what speaks its protocol.

use std::fmt;
use std::io;
use std::time::Duration;

use reqwest::header::{ETAG, HeaderName, IF_MATCH, IF_NONE_MATCH};
use reqwest::{Client, Method, RequestBuilder, Response, StatusCode, Url};
use rusty_s3::actions::{ListObjectsV2, S3Action};
use rusty_s3::{Credentials, UrlStyle};

use super::background::Background;
use super::bucket::{Bucket, Created, Replaced, Version};

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failed expectation is the test's verdict")]
mod tests;

/// How long a signed request may take to get there.
const SIGNED_FOR: Duration = Duration::from_secs(60);
/// How long one request may take.
const TIMEOUT: Duration = Duration::from_secs(5);
/// Pauses before a request is repeated that the store could not carry out now.
const PAUSES: [Duration; 2] = [Duration::from_millis(50), Duration::from_millis(250)];

/// A bucket, or the part of one below a prefix.
pub struct S3 {
    background: Background,
    client: Client,
    bucket: rusty_s3::Bucket,
    credentials: Credentials,
    prefix: String,
}

impl fmt::Debug for S3 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("S3").field("name", &self.name()).finish_non_exhaustive()
    }
}

/// Where a bucket is and who may write to it.
#[derive(Clone)]
pub struct S3Config {
    /// URL of the store.
    pub endpoint: String,
    /// Its region.
    pub region: String,
    /// Name of the bucket, which must be there. It stands in the path of requests.
    pub bucket: String,
    /// What all names begin with; empty, or ends with a slash.
    pub prefix: String,
    /// Access key.
    pub key: String,
    /// Secret access key.
    pub secret: String,
    /// Session token, of keys that are lent for a time.
    pub token: Option<String>,
}

fn invalid(error: impl ToString) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, error.to_string())
}

/// Of errors, what they say without the signed address in it.
fn failed(error: reqwest::Error) -> io::Error {
    let kind = if error.is_timeout() { io::ErrorKind::TimedOut } else { io::ErrorKind::Other };
    io::Error::new(kind, error.without_url())
}

fn refused(response: &Response) -> io::Error {
    io::Error::other(format!("the object store answered {}", response.status()))
}

fn version(response: &Response) -> io::Result<Version> {
    let tag = response.headers().get(ETAG).and_then(|tag| tag.to_str().ok());
    let missing = || io::Error::new(io::ErrorKind::InvalidData, "the object store gave no ETag");
    tag.map(|tag| Version(tag.to_owned())).ok_or_else(missing)
}

impl S3 {
    /// A bucket.
    ///
    /// # Errors
    /// [`io::ErrorKind::InvalidInput`] for addresses and names that are none, or what starting a thread gives.
    pub fn new(config: S3Config) -> io::Result<Self> {
        let endpoint: Url = config.endpoint.parse().map_err(invalid)?;
        let bucket =
            rusty_s3::Bucket::new(endpoint, UrlStyle::Path, config.bucket, config.region).map_err(invalid)?;
        let client = Client::builder().timeout(TIMEOUT).build().map_err(failed)?;
        let credentials = match config.token {
            Some(token) => Credentials::new_with_token(config.key, config.secret, token),
            None => Credentials::new(config.key, config.secret),
        };
        Ok(Self { background: Background::start()?, client, bucket, credentials, prefix: config.prefix })
    }

    fn key(&self, name: &str) -> String {
        format!("{}{name}", self.prefix)
    }

    /// Sends a request, again where the store could not carry it out now. So a request may be carried out twice.
    fn send(
        &self,
        build: impl Fn(&Client) -> RequestBuilder + Send + 'static,
    ) -> io::Result<(StatusCode, Option<Version>, Vec<u8>)> {
        let client = self.client.clone();
        self.background.wait(async move {
            let mut pauses = PAUSES.into_iter();
            loop {
                let answer = build(&client).send().await;
                let later = match &answer {
                    // Two conditional puts met: neither says yet which came first.
                    Ok(answer) => {
                        answer.status().is_server_error() || answer.status() == StatusCode::CONFLICT
                    }
                    Err(error) => error.is_connect() || error.is_request(),
                };
                match pauses.next() {
                    Some(pause) if later => tokio::time::sleep(pause).await,
                    _ => {
                        let answer = answer.map_err(failed)?;
                        let (status, version) = (answer.status(), version(&answer));
                        if !status.is_success()
                            && !matches!(status, StatusCode::NOT_FOUND | StatusCode::PRECONDITION_FAILED)
                        {
                            return Err(refused(&answer));
                        }
                        let bytes = answer.bytes().await.map_err(failed)?.to_vec();
                        return Ok((status, version.ok(), bytes));
                    }
                }
            }
        })
    }

    fn put(
        &self,
        name: &str,
        bytes: &[u8],
        condition: Option<(HeaderName, String)>,
    ) -> io::Result<(StatusCode, Option<Version>, Vec<u8>)> {
        let key = self.key(name);
        let url = self.bucket.put_object(Some(&self.credentials), &key).sign(SIGNED_FOR);
        let bytes = bytes.to_vec();
        self.send(move |client| {
            let put = client.put(url.clone()).body(bytes.clone());
            condition.iter().fold(put, |put, (name, value)| put.header(name, value))
        })
    }
}

fn no_bucket() -> io::Error {
    io::Error::new(io::ErrorKind::NotFound, "there is no such bucket")
}

/// The version that a put gave.
fn given(version: Option<Version>) -> io::Result<Version> {
    version.ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "the object store gave no ETag"))
}

impl Bucket for S3 {
    fn name(&self) -> String {
        format!("s3://{}/{}", self.bucket.name(), self.prefix.trim_end_matches('/'))
    }

    fn get(&self, name: &str) -> io::Result<Option<(Vec<u8>, Version)>> {
        let key = self.key(name);
        let url = self.bucket.get_object(Some(&self.credentials), &key).sign(SIGNED_FOR);
        match self.send(move |client| client.request(Method::GET, url.clone()))? {
            (StatusCode::OK, version, bytes) => Ok(Some((bytes, given(version)?))),
            (StatusCode::NOT_FOUND, ..) => Ok(None),
            (status, ..) => Err(io::Error::other(format!("the object store answered {status}"))),
        }
    }

    fn create(&self, name: &str, bytes: &[u8]) -> io::Result<Created> {
        match self.put(name, bytes, Some((IF_NONE_MATCH, "*".to_owned())))? {
            (StatusCode::PRECONDITION_FAILED, ..) => Ok(Created::Before),
            (StatusCode::NOT_FOUND, ..) => Err(no_bucket()),
            (_, version, _) => Ok(Created::Now(given(version)?)),
        }
    }

    fn replace(&self, name: &str, bytes: &[u8], version: &Version) -> io::Result<Replaced> {
        match self.put(name, bytes, Some((IF_MATCH, version.0.clone())))? {
            (StatusCode::PRECONDITION_FAILED | StatusCode::NOT_FOUND, ..) => Ok(Replaced::Other),
            (_, version, _) => Ok(Replaced::Now(given(version)?)),
        }
    }

    fn overwrite(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        match self.put(name, bytes, None)? {
            (StatusCode::NOT_FOUND, ..) => Err(no_bucket()),
            (status, ..) if status.is_success() => Ok(()),
            (status, ..) => Err(io::Error::other(format!("the object store answered {status}"))),
        }
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        let key = self.key(name);
        let url = self.bucket.delete_object(Some(&self.credentials), &key).sign(SIGNED_FOR);
        self.send(move |client| client.delete(url.clone())).map(drop)
    }

    fn list(&self, prefix: &str) -> io::Result<Vec<String>> {
        let (mut names, mut token) = (Vec::new(), None::<String>);
        loop {
            let mut list = self.bucket.list_objects_v2(Some(&self.credentials));
            list.with_prefix(self.key(prefix));
            if let Some(token) = token.take() {
                list.with_continuation_token(token);
            }
            let url = list.sign(SIGNED_FOR);
            let (_, _, bytes) = self.send(move |client| client.get(url.clone()))?;
            let text = String::from_utf8_lossy(&bytes);
            let page = ListObjectsV2::parse_response(&text).map_err(|error| {
                io::Error::new(io::ErrorKind::InvalidData, format!("the object store's list: {error}"))
            })?;
            names.extend(
                page.contents.iter().filter_map(|one| one.key.strip_prefix(&self.prefix).map(str::to_owned)),
            );
            match page.next_continuation_token {
                Some(next) => token = Some(next),
                None => return Ok(names),
            }
        }
    }
}
