//! The options themselves. The first line of each comment is its help text; the id is its name
//! everywhere.

use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::path::PathBuf;
use std::str::FromStr;

use clap::builder::BoolishValueParser;
use clap::{ArgAction, Args, ValueEnum, value_parser};

use super::values::{Project, Rate, Region, WebAddress, address, log_filter, one_of_schemes};
use crate::listen::tls::ClientAuth;
use crate::metrics::Place;
use crate::requests::{Network, Told};

const GIB: u64 = 1 << 30;
const DAY_S: u64 = 24 * 60 * 60;

const HTTP: SocketAddr = SocketAddr::V4(SocketAddrV4::new(Ipv4Addr::LOCALHOST, 8080));
const OBJECTS: SocketAddr = SocketAddr::V4(SocketAddrV4::new(Ipv4Addr::LOCALHOST, 9000));

/// Everything that can be set, by group.
#[derive(Debug, Clone, Args)]
#[command(
    next_help_heading = "Places and addresses",
    after_help = "Each option is also an environment variable and a key of the TOML file: --tls-cert is OTARU_TLS_CERT \
                  and `cert` under [tls]. Flags win over the environment, the environment over the file, the file over the \
                  defaults.\n\nSecrets come by environment only: OTARU_MASTER_KEY, OTARU_ACCESS_KEY_ID, \
                  OTARU_ACCESS_KEY_SECRET, OTARU_BLOBS_ACCESS_KEY_ID, OTARU_BLOBS_ACCESS_KEY_SECRET."
)]
pub struct Config {
    /// TOML file with options [default: otaru.toml in the working directory, if there is one]
    #[arg(id = "config", long, value_name = "FILE")]
    pub config: Option<PathBuf>,

    /// Data directory; the database, the packages and the keys are in it unless set otherwise
    #[arg(id = "data", long, value_name = "DIRECTORY", default_value = "otaru-data")]
    pub data: PathBuf,

    /// Northbound doors, DDI, downloads and console; port 0 picks a free port
    #[arg(id = "http", long, value_name = "ADDRESS:PORT", default_value_t = HTTP, value_parser = address)]
    pub http: SocketAddr,

    /// The same over TLS [default: port 8443 beside --http once there is a certificate]
    #[arg(id = "https", long, value_name = "ADDRESS:PORT", value_parser = address)]
    pub https: Option<SocketAddr>,

    /// Object door for S3 and OBS clients
    #[arg(id = "objects", long, value_name = "ADDRESS:PORT", default_value_t = OBJECTS, value_parser = address)]
    pub objects: SocketAddr,

    /// Object door over TLS [default: off]
    #[arg(id = "objects-https", long, value_name = "ADDRESS:PORT", value_parser = address)]
    pub objects_https: Option<SocketAddr>,

    /// Make and use a certificate of our own
    #[arg(id = "self-signed", long, value_name = "BOOL", default_value = "false", default_missing_value = "true",
          num_args = 0..=1, require_equals = true, action = ArgAction::Set, value_parser = BoolishValueParser::new())]
    pub self_signed: bool,

    /// Database: sqlite:FILE or postgres://… [default: sqlite:DATA/otaru.db]
    #[arg(id = "store", long, value_name = "URL",
          value_parser = one_of_schemes(&["sqlite:", "postgres://", "postgresql://"]))]
    pub store: Option<String>,

    /// Packages: fs:DIRECTORY, s3://…, obs://… or oss://… [default: fs:DATA/blobs]
    #[arg(id = "blobs", long, value_name = "URL",
          value_parser = one_of_schemes(&["fs:", "s3://", "obs://", "oss://"]))]
    pub blobs: Option<String>,

    /// Equal copies of the server that share the store and the packages; each grants its share of what clouds limit per
    /// minute or second
    #[arg(id = "copies", long, value_name = "N", default_value_t = 1, value_parser = value_parser!(u32).range(1..=1000))]
    pub copies: u32,

    /// File with the key that encrypts stored secrets [default: DATA/master.key, made on first
    /// start]
    #[arg(id = "master-key-file", long, value_name = "FILE")]
    pub master_key_file: Option<PathBuf>,

    /// How others reach the HTTP door; required once a door is not on a loopback address
    #[arg(id = "public-url", long, value_name = "URL")]
    pub public_url: Option<WebAddress>,

    /// How devices reach downloads [default: the public URL]
    #[arg(id = "download-url", long, value_name = "URL")]
    pub download_url: Option<WebAddress>,

    /// How others reach the object door [default: its port at the host of the public URL]
    #[arg(id = "objects-url", long, value_name = "URL")]
    pub objects_url: Option<WebAddress>,

    /// Instance id that clouds ask their clients to send; once set, another one is refused
    #[arg(id = "instance-id", long, value_name = "ID")]
    pub instance_id: Option<String>,

    /// Where GET /metrics is answered: local (the HTTP address, to this machine), open (to everybody), off, or an address
    #[arg(id = "metrics", long, value_name = "PLACE", default_value_t = Place::Local, value_parser = Place::from_str)]
    pub metrics: Place,

    /// Object store of a region that clients name, such as cn-north-4=obs://…
    #[arg(id = "regions", long, value_name = "NAME=URL", value_delimiter = ',')]
    pub regions: Vec<Region>,

    #[command(flatten)]
    pub tls: TlsOptions,
    #[command(flatten)]
    pub listen: Listen,
    #[command(flatten)]
    pub signatures: Signatures,
    #[command(flatten)]
    pub links: Links,
    #[command(flatten)]
    pub tenants: Tenants,
    #[command(flatten)]
    pub native: Native,
    #[command(flatten)]
    pub iotda: Iotda,
    #[command(flatten)]
    pub oceanconnect: Oceanconnect,
    #[command(flatten)]
    pub aliyun: Aliyun,
    #[command(flatten)]
    pub log: Log,
}

/// Certificates of the server and of its clients.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "TLS")]
pub struct TlsOptions {
    /// PEM file with the certificate chain, the server's own first
    #[arg(id = "tls-cert", long, value_name = "FILE")]
    pub cert: Option<PathBuf>,

    /// PEM file with the private key
    #[arg(id = "tls-key", long, value_name = "FILE")]
    pub key: Option<PathBuf>,

    /// PEM file with the authorities of client certificates
    #[arg(id = "tls-client-ca", long, value_name = "FILE")]
    pub client_ca: Option<PathBuf>,

    /// PEM file with revocation lists of those authorities
    #[arg(id = "tls-client-crl", long, value_name = "FILE")]
    pub client_crl: Option<PathBuf>,

    /// Whether clients are asked for a certificate
    #[arg(id = "tls-client-auth", long, value_name = "MODE", default_value = "off", value_parser = value_parser!(ClientAuth))]
    pub client_auth: ClientAuth,

    /// Further host names and addresses of the self-signed certificate
    #[arg(id = "tls-self-signed-hosts", long, value_name = "NAME", value_delimiter = ',')]
    pub self_signed_hosts: Vec<String>,
}

/// What each door grants its connections.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Connections, per door")]
pub struct Listen {
    /// Open connections at once; further ones are told to come back
    #[arg(id = "listen-max-connections", long, value_name = "N", default_value_t = 10_000,
          value_parser = value_parser!(u32).range(1..=1_000_000))]
    pub max_connections: u32,

    /// Open connections of one address at once; 0 for any number
    #[arg(id = "listen-max-connections-per-peer", long, value_name = "N", default_value_t = 2_000)]
    pub max_connections_per_peer: u32,

    /// Requests of one address under way at once, on all doors; 0 for any number
    #[arg(id = "listen-max-requests-per-peer", long, value_name = "N", default_value_t = 1_000)]
    pub max_requests_per_peer: u32,

    /// Proxies whose X-Forwarded-For is believed; they themselves have no limit as a peer
    #[arg(id = "listen-trusted-proxies", long, value_name = "NETWORK", value_delimiter = ',')]
    pub trusted_proxies: Vec<Network>,

    /// Size of the body of a call that uploads nothing
    #[arg(id = "listen-max-body-bytes", long, value_name = "N", default_value_t = 1_048_576,
          value_parser = value_parser!(u32).range(65_536..=67_108_864))]
    pub max_body_bytes: u32,

    /// Size of a request's head; cloud tokens in headers are long
    #[arg(id = "listen-max-header-bytes", long, value_name = "N", default_value_t = 65_536,
          value_parser = value_parser!(u32).range(16_384..=1_048_576))]
    pub max_header_bytes: u32,

    /// Time for a request's head, and for a TLS handshake
    #[arg(id = "listen-header-timeout-s", long, value_name = "SECONDS", default_value_t = 10, value_parser = seconds())]
    pub header_timeout_s: u64,

    /// Time a connection may wait for its next request
    #[arg(id = "listen-keep-alive-timeout-s", long, value_name = "SECONDS", default_value_t = 75, value_parser = seconds())]
    pub keep_alive_timeout_s: u64,

    /// Time a request's body may pause
    #[arg(id = "listen-body-timeout-s", long, value_name = "SECONDS", default_value_t = 60, value_parser = seconds())]
    pub body_timeout_s: u64,

    /// Slowest a request's body may be on the whole, once it took longer than it may pause; 0 for any
    #[arg(id = "listen-body-min-bytes-per-second", long, value_name = "N", default_value_t = 100)]
    pub body_min_bytes_per_second: u32,

    /// Time a client may take nothing of an answer; long, for devices on slow links
    #[arg(id = "listen-write-timeout-s", long, value_name = "SECONDS", default_value_t = 300, value_parser = seconds())]
    pub write_timeout_s: u64,

    /// Time open requests get when the server stops
    #[arg(id = "listen-drain-timeout-s", long, value_name = "SECONDS", default_value_t = 8, value_parser = seconds())]
    pub drain_timeout_s: u64,
}

/// How signed requests are judged, on every door that has signatures.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Signed requests")]
pub struct Signatures {
    /// How far a request's time may be from ours
    #[arg(id = "signatures-clock-skew-s", long, value_name = "SECONDS", default_value_t = 900, value_parser = seconds())]
    pub clock_skew_s: u64,
}

/// Links that are handed out.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Links")]
pub struct Links {
    /// How long a download link is good
    #[arg(id = "links-lifetime-s", long, value_name = "SECONDS", default_value_t = DAY_S, value_parser = seconds())]
    pub lifetime_s: u64,

    /// Send who follows a download link on to the object store that has the bytes (302); devices have to
    /// follow
    #[arg(id = "links-direct", long, value_name = "BOOL", default_value = "false", default_missing_value = "true",
          num_args = 0..=1, require_equals = true, action = ArgAction::Set, value_parser = BoolishValueParser::new())]
    pub direct: bool,

    /// How fast one address gets the bytes of one link; 0 for as fast as it goes
    #[arg(id = "links-bytes-per-second", long, value_name = "N", default_value_t = 0)]
    pub bytes_per_second: u64,
}

/// What one tenant may take of the whole, on each copy of the server.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Tenants")]
pub struct Tenants {
    /// Requests of one tenant under way at once, downloads among them; 0 for any number
    #[arg(id = "tenants-max-requests", long, value_name = "N", default_value_t = 5_000)]
    pub max_requests: u32,

    /// How fast the devices of one tenant get bytes, all together; 0 for as fast as it goes
    #[arg(id = "tenants-bytes-per-second", long, value_name = "N", default_value_t = 0)]
    pub bytes_per_second: u64,
}

/// Otaru's own API.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Own API")]
pub struct Native {
    /// Largest package that can be uploaded
    #[arg(id = "native-package-limit-bytes", long, value_name = "N", default_value_t = 8 * GIB,
          value_parser = value_parser!(u64).range(1..))]
    pub package_limit_bytes: u64,

    /// Sign-ins of one address that may fail in any 60 seconds before more are refused; 0 for any number
    #[arg(id = "native-failed-sign-ins-per-minute", long, value_name = "N", default_value_t = 20)]
    pub failed_sign_ins_per_minute: u32,

    /// How long a request with a file in it may send nothing, in milliseconds
    #[arg(id = "native-upload-idle-ms", long, value_name = "N", default_value_t = 60_000,
          value_parser = value_parser!(u64).range(1..))]
    pub upload_idle_ms: u64,
}

/// Huawei Cloud IoTDA door.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "IoTDA door")]
pub struct Iotda {
    /// List packages of every type when package_type is missing, instead of answering 400
    #[arg(id = "iotda-lenient-package-type", long, value_name = "BOOL", default_value = "false",
          default_missing_value = "true", num_args = 0..=1, require_equals = true, action = ArgAction::Set,
          value_parser = BoolishValueParser::new())]
    pub lenient_package_type: bool,

    /// Refuse a package at once whose sign differs from its object, instead of withholding it from
    /// devices
    #[arg(id = "iotda-refuse-wrong-sign", long, value_name = "BOOL", default_value = "false",
          default_missing_value = "true", num_args = 0..=1, require_equals = true, action = ArgAction::Set,
          value_parser = BoolishValueParser::new())]
    pub refuse_wrong_sign: bool,

    /// Largest object that a package may refer to
    #[arg(id = "iotda-package-limit-bytes", long, value_name = "N", default_value_t = GIB,
          value_parser = value_parser!(u64).range(1..))]
    pub package_limit_bytes: u64,

    /// How long a token is good
    #[arg(id = "iotda-token-lifetime-s", long, value_name = "SECONDS", default_value_t = DAY_S, value_parser = seconds())]
    pub token_lifetime_s: u64,

    /// Calls of one access key in any 60 seconds; 0 for any number
    #[arg(id = "iotda-calls-per-minute", long, value_name = "N", default_value_t = 0)]
    pub calls_per_minute: u32,

    /// Project ids that clients brought from the cloud, and the names of the tenants that they are here
    #[arg(id = "iotda-projects", long, value_name = "ID=TENANT", value_delimiter = ',')]
    pub projects: Vec<Project>,
}

/// Huawei northbound v1.5 (OceanConnect) door.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "OceanConnect door")]
pub struct Oceanconnect {
    /// Calls of one application in any 60 seconds
    #[arg(id = "oceanconnect-calls-per-minute", long, value_name = "N", default_value_t = 100,
          value_parser = value_parser!(u32).range(1..))]
    pub calls_per_minute: u32,

    /// Calls with bad tokens and failed logins of one address in any 60 seconds
    #[arg(id = "oceanconnect-bad-calls-per-minute", long, value_name = "N", default_value_t = 100,
          value_parser = value_parser!(u32).range(1..))]
    pub bad_calls_per_minute: u32,

    /// Let earlier tokens of an application live on after a new login
    #[arg(id = "oceanconnect-overlapping-tokens", long, value_name = "BOOL", default_value = "false",
          default_missing_value = "true", num_args = 0..=1, require_equals = true, action = ArgAction::Set,
          value_parser = BoolishValueParser::new())]
    pub overlapping_tokens: bool,

    /// How long a token is good
    #[arg(id = "oceanconnect-token-lifetime-s", long, value_name = "SECONDS", default_value_t = 3600, value_parser = seconds())]
    pub token_lifetime_s: u64,
}

/// Alibaba Cloud door.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Alibaba door")]
pub struct Aliyun {
    /// HTTP status of a call that fails for a business reason
    #[arg(id = "aliyun-business-failure-status", long, value_name = "STATUS", default_value = "200",
          value_parser = clap::builder::PossibleValuesParser::new(["200", "400"]))]
    business_failure_status: String,

    /// Packages that may be created through this door
    #[arg(id = "aliyun-max-packages", long, value_name = "N", default_value_t = 500)]
    pub max_packages: u32,

    /// Largest package that can be uploaded through this door
    #[arg(id = "aliyun-package-limit-bytes", long, value_name = "N", default_value_t = 1000 * 1024 * 1024,
          value_parser = value_parser!(u64).range(1..))]
    pub package_limit_bytes: u64,

    /// Calls per second of an operation, in place of the documented rate
    #[arg(id = "aliyun-qps", long, value_name = "OPERATION=N", value_delimiter = ',')]
    pub qps: Vec<Rate>,
}

impl Aliyun {
    /// 200 or 400.
    #[must_use]
    pub fn business_failure_status(&self) -> http::StatusCode {
        if self.business_failure_status == "400" { http::StatusCode::BAD_REQUEST } else { http::StatusCode::OK }
    }
}

/// What is written to standard error.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Log")]
pub struct Log {
    /// Shape of a log line
    #[arg(id = "log-format", long, value_name = "FORMAT", default_value = "text", value_parser = value_parser!(LogFormat))]
    pub format: LogFormat,

    /// error, warn, info, debug or trace; also per room, such as info,otaru::listen=debug
    #[arg(id = "log-level", long, value_name = "LEVEL", default_value = "info", value_parser = log_filter)]
    pub level: String,

    /// Which requests get a line each; what fails because of us does in any case
    #[arg(id = "log-requests", long, value_name = "WHICH", default_value = "all", value_parser = value_parser!(Told))]
    pub requests: Told,

    /// From how long on a verb, a statement or a file access is told as slow; 0 for never
    #[arg(id = "log-slow-ms", long, value_name = "MS", default_value_t = 500)]
    pub slow_ms: u64,
}

/// The shape of a log line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object per line.
    Json,
}

/// A duration has an end: one second to ten years.
fn seconds() -> clap::builder::RangedU64ValueParser<u64> {
    value_parser!(u64).range(1..=3650 * DAY_S)
}
