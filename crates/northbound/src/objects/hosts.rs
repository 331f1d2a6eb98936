//! Which bucket a host name stands for, and what the S3 service is told of it.

use std::net::IpAddr;

use http::HeaderMap;
use http::header::HOST;
use http::uri::Uri;
use s3s::S3Result;
use s3s::auth::{S3Auth, SecretKey};
use s3s::host::{S3Host, VirtualHost};
use s3s::validation::NameValidation;

use super::limits;

/// The host that a request is for, in lower case and without its port.
pub fn host_of(uri: &Uri, headers: &HeaderMap) -> Option<String> {
    let named = match headers.get(HOST) {
        Some(host) => host.to_str().ok()?,
        None => uri.authority()?.as_str(),
    };
    Some(without_port(named).trim_end_matches('.').to_ascii_lowercase())
}

/// The bucket that `host` stands for: what is in front of one of the base domains.
pub fn virtual_bucket(host: &str, base_domains: &[String]) -> Option<String> {
    let domains = || base_domains.iter().map(|domain| domain.to_ascii_lowercase()).chain(["localhost".to_owned()]);
    if domains().any(|domain| host == domain) {
        return None;
    }
    // The longest domain that fits, so that one may lie under another.
    domains()
        .filter_map(|domain| host.strip_suffix(&domain)?.strip_suffix('.'))
        .filter(|bucket| !bucket.is_empty())
        .min_by_key(|bucket| bucket.len())
        .map(str::to_owned)
}

/// The host of a URL, if it is a name.
pub fn domain_of_url(url: &str) -> Option<String> {
    let uri: Uri = url.parse().ok()?;
    let host = uri.host()?;
    let is_address = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>().is_ok();
    (!is_address).then(|| host.trim_end_matches('.').to_ascii_lowercase())
}

fn without_port(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) && !name.ends_with(':') => name,
        _ => host,
    }
}

/// One request's bucket by host name, found before the S3 service asks.
pub struct KnownHost(pub Option<String>);

impl S3Host for KnownHost {
    fn parse_host_header<'a>(&'a self, host: &'a str) -> S3Result<VirtualHost<'a>> {
        Ok(match &self.0 {
            Some(bucket) => VirtualHost::new(host).with_bucket(bucket),
            None => VirtualHost::new(host),
        })
    }
}

/// One request's key, found before the S3 service asks.
pub struct KnownKey {
    pub access_key_id: String,
    pub secret: String,
}

#[async_trait::async_trait]
impl S3Auth for KnownKey {
    async fn get_secret_key(&self, access_key: &str) -> S3Result<SecretKey> {
        if access_key == self.access_key_id {
            Ok(SecretKey::from(self.secret.as_str()))
        } else {
            Err(s3s::s3_error!(InvalidAccessKeyId, "The request names two access keys."))
        }
    }
}

/// Bucket names by our own table of limits.
pub struct BucketNames;

impl NameValidation for BucketNames {
    fn validate_bucket_name(&self, name: &str) -> bool {
        limits::bucket_name_problem(name).is_none()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_is_what_stands_before_a_base_domain() {
        let domains = ["s3.example.com".to_owned(), "Example.COM".to_owned()];
        let bucket = |host: &str| virtual_bucket(host, &domains);
        assert_eq!(bucket("files.s3.example.com").as_deref(), Some("files"));
        assert_eq!(bucket("my.files.s3.example.com").as_deref(), Some("my.files"));
        assert_eq!(bucket("files.example.com").as_deref(), Some("files"));
        assert_eq!(bucket("files.localhost").as_deref(), Some("files"));
        for path_style in ["s3.example.com", "example.net", "localhost", "127.0.0.1", "::1", "notexample.com", ""] {
            assert_eq!(bucket(path_style), None, "{path_style}");
        }
    }

    #[test]
    fn hosts_lose_their_port_and_their_case() {
        let of = |host: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(HOST, http::HeaderValue::from_static(host));
            host_of(&Uri::from_static("/"), &headers)
        };
        assert_eq!(of("Files.Example.com:9000").as_deref(), Some("files.example.com"));
        assert_eq!(of("files.example.com.").as_deref(), Some("files.example.com"));
        assert_eq!(of("[::1]:9000").as_deref(), Some("[::1]"));
        assert_eq!(host_of(&Uri::from_static("http://a.b:1/x"), &HeaderMap::new()).as_deref(), Some("a.b"));
        assert_eq!(host_of(&Uri::from_static("/x"), &HeaderMap::new()), None);
    }

    #[test]
    fn only_a_name_becomes_a_base_domain() {
        assert_eq!(domain_of_url("https://Files.example.com:9000").as_deref(), Some("files.example.com"));
        for none in ["http://127.0.0.1:9000", "http://[::1]:9000", "", "/path"] {
            assert_eq!(domain_of_url(none), None, "{none}");
        }
    }
}
