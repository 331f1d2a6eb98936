//! Objects that live in somebody else's object store: looked at, and fetched into a blob.
//!
//! A caller names a region, a bucket and a key. Which regions there are, where, and with which credentials, is configured;
//! bucket and key come from outside and are checked before they become part of a URL.

use std::fmt;
use std::time::Duration;

use futures::TryStreamExt;
use opendal::layers::{RetryLayer, TimeoutLayer};
use opendal::services::{Obs, Oss, S3};
use opendal::{ErrorKind, HttpTransporter, OperationContext, Operator};
use opendal_http_transport_reqwest::ReqwestTransport;
use percent_encoding::percent_decode_str;
use zeroize::Zeroizing;

use super::{BlobError, Blobs, Finished, StageId};

/// Where the native protocol of the `obs` scheme reaches a bucket by its name. Any other host is taken by the library for a
/// domain bound to one bucket, so such sites are spoken to through their S3 interface.
const OBS_PUBLIC_HOSTS: [&str; 2] = [".myhuaweicloud.com", ".huawei.com"];

/// Waiting for an answer, or for the next bytes of one.
pub(super) const PATIENCE: Duration = Duration::from_secs(30);

/// Why an object could not be had.
#[derive(Debug, thiserror::Error)]
pub enum RemoteError {
    /// There is no such bucket or object.
    #[error("there is no such object")]
    NotFound,
    /// The configured credentials may not read it.
    #[error("the configured credentials may not read this object")]
    Denied,
    /// It is not, or not any more, the object that the caller saw.
    #[error("the object changed while it was read")]
    ChangedWhileRead,
    /// Bucket or key cannot be spoken of; the text says why.
    #[error("{0}")]
    BadName(&'static str),
    /// The region is configured wrongly; the text says how.
    #[error("{0}")]
    Misconfigured(String),
    /// The store cannot be reached or fails. Trying again may help.
    #[error("the object store is unavailable: {0}")]
    Unavailable(String),
    /// Our own store would not take the bytes.
    #[error(transparent)]
    Blob(#[from] BlobError),
}

/// An object as it was seen at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RemoteObject {
    /// Length.
    pub size_bytes: u64,
    /// Entity tag, spelled as the store spells it.
    pub etag: Option<String>,
}

/// A configured object store.
#[derive(Clone)]
pub struct Region {
    protocol: Protocol,
    endpoint: Option<String>,
    signing_region: String,
    credentials: Option<Credentials>,
    virtual_host: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Protocol {
    S3,
    Obs,
    Oss,
}

/// What requests to an object store are signed with.
#[derive(Clone)]
pub struct Credentials {
    access_key_id: String,
    secret_access_key: Zeroizing<String>,
    session_token: Option<Zeroizing<String>>,
}

impl Credentials {
    /// A lasting key pair.
    pub fn new(access_key_id: impl Into<String>, secret_access_key: impl Into<String>) -> Credentials {
        Credentials {
            access_key_id: access_key_id.into(),
            secret_access_key: Zeroizing::new(secret_access_key.into()),
            session_token: None,
        }
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Credentials(…)")
    }
}

impl fmt::Debug for Region {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Region")
            .field("protocol", &self.protocol)
            .field("endpoint", &self.endpoint)
            .field("virtual_host", &self.virtual_host)
            .finish_non_exhaustive()
    }
}

impl Region {
    /// Reads a region from its address, `s3:`, `obs:` or `oss:` followed by `//?option=value&…`; what stands where a bucket
    /// would is ignored, because the bucket is given per call. Options, percent-encoded where needed (a `+` is a plus):
    ///
    /// - `endpoint`: URL or host of the store; needed except for `s3` at Amazon
    /// - `access_key_id`, `secret_access_key`: without them only public objects can be read; `obs` needs them
    /// - `session_token`: for temporary credentials
    /// - `region`: what signatures name, `us-east-1` unless given
    /// - `virtual_host`: `true` for `https://bucket.host/key`, `false` for `https://host/bucket/key`. Unless given: `true`
    ///   for `obs` and `oss` at a host name, otherwise `false`
    pub fn parse(url: &str) -> Result<Region, RemoteError> {
        Region::parse_with(url, None)
    }

    /// Like [`Region::parse`], with the credentials that hold if the address has none.
    pub(super) fn parse_with(url: &str, given: Option<Credentials>) -> Result<Region, RemoteError> {
        let wrong = |text: &str| RemoteError::Misconfigured(text.to_owned());
        let protocol = match url.split_once("://") {
            Some(("s3", _)) => Protocol::S3,
            Some(("obs", _)) => Protocol::Obs,
            Some(("oss", _)) => Protocol::Oss,
            _ => return Err(wrong("the address of an object store starts with s3://, obs:// or oss://")),
        };
        let (mut endpoint, mut signing_region, mut virtual_host) = (None, None, None);
        let (mut access_key_id, mut secret_access_key, mut session_token) = (None, None, None);
        let options = url.split_once('?').map_or("", |(_, options)| options);
        for option in options.split('&').filter(|option| !option.is_empty()) {
            let (name, value) = option.split_once('=').unwrap_or((option, ""));
            let value = percent_decode_str(value)
                .decode_utf8()
                .map_err(|_| RemoteError::Misconfigured(format!("option {name} is not UTF-8")))?
                .into_owned();
            match name {
                "endpoint" => endpoint = Some(value),
                "region" => signing_region = Some(value),
                "access_key_id" => access_key_id = Some(value),
                "secret_access_key" => secret_access_key = Some(Zeroizing::new(value)),
                "session_token" => session_token = Some(Zeroizing::new(value)),
                "virtual_host" => match value.as_str() {
                    "true" => virtual_host = Some(true),
                    "false" => virtual_host = Some(false),
                    _ => return Err(wrong("option virtual_host is true or false")),
                },
                _ => {
                    return Err(RemoteError::Misconfigured(format!(
                        "unknown option {name}: there are endpoint, region, access_key_id, secret_access_key, session_token \
                         and virtual_host"
                    )));
                }
            }
        }

        let endpoint = endpoint.filter(|endpoint| !endpoint.is_empty()).map(with_scheme);
        if let Some(endpoint) = &endpoint
            && host(endpoint).is_empty()
        {
            return Err(wrong("option endpoint is a URL or a host"));
        }
        if endpoint.is_none() && protocol != Protocol::S3 {
            return Err(wrong("option endpoint is missing"));
        }
        let credentials = match (access_key_id, secret_access_key) {
            (Some(access_key_id), Some(secret_access_key)) => {
                Some(Credentials { access_key_id, secret_access_key, session_token })
            }
            (None, None) => given,
            _ => return Err(wrong("access_key_id and secret_access_key are given together or not at all")),
        };

        let host = endpoint.as_deref().map(host).unwrap_or_default();
        let named_host =
            host.contains(|c: char| c.is_ascii_alphabetic()) && !host.starts_with('[') && host != "localhost";
        let virtual_host = virtual_host.unwrap_or(protocol != Protocol::S3 && named_host);
        let public = host.starts_with("obs.") && OBS_PUBLIC_HOSTS.iter().any(|suffix| host.ends_with(suffix));
        let lasting = credentials.as_ref().is_some_and(|credentials| credentials.session_token.is_none());
        let protocol = match protocol {
            // The library's native protocol is for the public cloud and for lasting credentials.
            Protocol::Obs if !(public && virtual_host && lasting) => Protocol::S3,
            other => other,
        };
        let signing_region = signing_region.unwrap_or_else(|| "us-east-1".to_owned());
        Ok(Region { protocol, endpoint, signing_region, credentials, virtual_host })
    }

    /// Looks at an object.
    pub async fn stat(&self, bucket: &str, key: &str) -> Result<RemoteObject, RemoteError> {
        stat(&self.operator(bucket, "/", PATIENCE)?, checked_key(key)?).await
    }

    /// Fetches an object of at most `limit_bytes` into a blob. It has to be the one that the caller saw before, from its
    /// first byte to its last: it is looked at before and after, and stores that can are asked for exactly that one.
    pub async fn import(
        &self,
        bucket: &str,
        key: &str,
        seen: &RemoteObject,
        blobs: &Blobs,
        id: &StageId,
        limit_bytes: u64,
    ) -> Result<Finished, RemoteError> {
        let operator = self.operator(bucket, "/", PATIENCE)?;
        let key = checked_key(key)?;
        if seen.size_bytes > limit_bytes {
            return Err(BlobError::TooLarge.into());
        }
        if stat(&operator, key).await? != *seen {
            return Err(RemoteError::ChangedWhileRead);
        }
        let mut staged = blobs.stage(id, seen.size_bytes).await?;
        if seen.size_bytes > 0 {
            let reader = operator.reader_with(key);
            let reader = match &seen.etag {
                Some(etag) => reader.if_match(etag),
                None => reader,
            };
            let mut stream = reader.await?.into_bytes_stream(0..seen.size_bytes).await?;
            while let Some(bytes) = stream.try_next().await.map_err(io_error)? {
                match staged.write(bytes).await {
                    Err(BlobError::TooLarge) => return Err(RemoteError::ChangedWhileRead),
                    other => other?,
                }
            }
        }
        if staged.size_bytes() != seen.size_bytes || stat(&operator, key).await? != *seen {
            return Err(RemoteError::ChangedWhileRead);
        }
        Ok(staged.finish().await?)
    }

    /// What speaks to one bucket, with keys below `root`. Any call may take as long as `patience`.
    ///
    /// Nothing of the environment or of a metadata service decides how we sign: only what is configured here.
    pub(super) fn operator(&self, bucket: &str, root: &str, patience: Duration) -> Result<Operator, RemoteError> {
        let bucket = checked_bucket(bucket)?;
        let endpoint = self.endpoint.as_deref().unwrap_or_default();
        let operator = match (self.protocol, &self.credentials) {
            (Protocol::Obs, credentials) => {
                let mut obs = Obs::default().bucket(bucket).root(root).endpoint(endpoint);
                if let Some(credentials) = credentials {
                    obs =
                        obs.access_key_id(&credentials.access_key_id).secret_access_key(&credentials.secret_access_key);
                }
                Operator::new(obs)
            }
            (Protocol::Oss, credentials) => {
                let style = if self.virtual_host { "virtual" } else { "path" };
                let mut oss = Oss::default().bucket(bucket).root(root).endpoint(endpoint).addressing_style(style);
                match credentials {
                    Some(credentials) => {
                        oss = oss
                            .access_key_id(&credentials.access_key_id)
                            .access_key_secret(&credentials.secret_access_key);
                        if let Some(token) = &credentials.session_token {
                            oss = oss.security_token(token);
                        }
                    }
                    None => oss = oss.skip_signature(),
                }
                Operator::new(oss)
            }
            (Protocol::S3, credentials) => {
                let mut s3 = S3::default()
                    .bucket(bucket)
                    .root(root)
                    .endpoint(endpoint)
                    .region(&self.signing_region)
                    .disable_config_load()
                    .disable_ec2_metadata();
                if self.virtual_host {
                    s3 = s3.enable_virtual_host_style();
                }
                match credentials {
                    Some(credentials) => {
                        s3 = s3
                            .access_key_id(&credentials.access_key_id)
                            .secret_access_key(&credentials.secret_access_key);
                        if let Some(token) = &credentials.session_token {
                            s3 = s3.session_token(token);
                        }
                    }
                    None => s3 = s3.skip_signature(),
                }
                Operator::new(s3)
            }
        }?;
        let transport = HttpTransporter::new(ReqwestTransport::default());
        Ok(operator
            .with_context(OperationContext::new().with_http_transport(transport))
            .layer(TimeoutLayer::new().with_timeout(patience).with_io_timeout(patience))
            .layer(RetryLayer::new().with_max_times(2).with_min_delay(Duration::from_millis(200)).with_jitter()))
    }
}

async fn stat(operator: &Operator, key: &str) -> Result<RemoteObject, RemoteError> {
    let meta = operator.stat(key).await?;
    Ok(RemoteObject { size_bytes: meta.content_length(), etag: meta.etag().map(str::to_owned) })
}

/// A bucket may become part of a host name, so nothing but what buckets are made of gets through.
fn checked_bucket(bucket: &str) -> Result<&str, RemoteError> {
    let inner = |c: u8| c.is_ascii_alphanumeric() || matches!(c, b'-' | b'.' | b'_');
    let edges = bucket.as_bytes().first().zip(bucket.as_bytes().last());
    let fits = (1..=255).contains(&bucket.len())
        && bucket.bytes().all(inner)
        && edges.is_some_and(|(first, last)| first.is_ascii_alphanumeric() && last.is_ascii_alphanumeric());
    if fits { Ok(bucket) } else { Err(RemoteError::BadName("a bucket is named by letters, digits, - . and _")) }
}

/// Keys that would become another key on the way (the library and URLs both tidy paths) are refused instead.
fn checked_key(key: &str) -> Result<&str, RemoteError> {
    let tidy = !key.is_empty() && key.trim() == key && key.split('/').all(|part| !matches!(part, "" | "." | ".."));
    if tidy {
        Ok(key)
    } else {
        Err(RemoteError::BadName("a key has no empty, . or .. part and no white space around it"))
    }
}

fn with_scheme(endpoint: String) -> String {
    if endpoint.starts_with("http://") || endpoint.starts_with("https://") {
        endpoint
    } else {
        format!("https://{endpoint}")
    }
}

/// The host of a URL, without its port.
fn host(url: &str) -> &str {
    let authority = url.split_once("://").map_or(url, |(_, rest)| rest).split('/').next().unwrap_or_default();
    match authority.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|c| c.is_ascii_digit()) => host,
        _ => authority,
    }
}

impl From<opendal::Error> for RemoteError {
    fn from(error: opendal::Error) -> RemoteError {
        match error.kind() {
            ErrorKind::NotFound => RemoteError::NotFound,
            ErrorKind::PermissionDenied => RemoteError::Denied,
            ErrorKind::ConditionNotMatch | ErrorKind::RangeNotSatisfied => RemoteError::ChangedWhileRead,
            ErrorKind::ConfigInvalid => RemoteError::Misconfigured(error.to_string()),
            _ => RemoteError::Unavailable(error.to_string()),
        }
    }
}

/// The stream of bytes wraps the library's errors in `io::Error`.
fn io_error(error: std::io::Error) -> RemoteError {
    match error.downcast::<opendal::Error>() {
        Ok(error) => error.into(),
        Err(error) => RemoteError::Unavailable(error.to_string()),
    }
}
