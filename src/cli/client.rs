//! The server as the command line talks to it: `/api/v1` over HTTP.

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use http::{HeaderMap, StatusCode};
use reqwest::{Certificate, Method, RequestBuilder, Response};
use serde_json::Value;

use super::failure::{Failure, Kind, file};

/// Which server, and who asks.
#[derive(Debug, Clone, Args)]
pub struct Connection {
    /// The server's address
    #[arg(long, env = "OTARU_SERVER", default_value = "http://127.0.0.1:8080", value_name = "URL", global = true)]
    server: String,
    /// Access key id; with its secret, wins over credentials.json
    #[arg(long, env = "OTARU_ACCESS_KEY_ID", value_name = "ID", global = true)]
    access_key_id: Option<String>,
    /// Secret of the access key; better given by the environment, which others cannot see
    #[arg(long, env = "OTARU_ACCESS_KEY_SECRET", value_name = "SECRET", hide_env_values = true, global = true)]
    access_key_secret: Option<String>,
    /// Folder of a server on this machine, whose credentials.json is used if no key is given
    #[arg(
        long = "credentials",
        env = "OTARU_DATA",
        default_value = "otaru-data",
        value_name = "FOLDER",
        global = true
    )]
    credentials: PathBuf,
    /// PEM file with the authority that signed the server's certificate
    #[arg(long, env = "OTARU_CA", value_name = "FILE", global = true)]
    ca: Option<PathBuf>,
    /// Print JSON, for scripts
    #[arg(long, global = true)]
    pub json: bool,
}

/// A server that can be asked.
pub struct Client {
    http: reqwest::Client,
    server: String,
    key_id: String,
    secret: String,
}

impl Connection {
    pub fn client(&self) -> Result<Client, Failure> {
        let (key_id, secret) = match (&self.access_key_id, &self.access_key_secret) {
            (Some(id), Some(secret)) => (id.clone(), secret.clone()),
            (None, None) => stored_key(&self.credentials.join("credentials.json"))?,
            _ => return Err(Failure::usage("an access key id and its secret are given together, or neither of them")),
        };
        Ok(Client { http: self.http()?, server: self.server.trim_end_matches('/').to_owned(), key_id, secret })
    }

    /// A client that knows no key, for what needs none.
    pub fn http(&self) -> Result<reqwest::Client, Failure> {
        let mut builder = reqwest::Client::builder().connect_timeout(Duration::from_secs(10));
        if let Some(path) = &self.ca {
            let pem = std::fs::read(path).map_err(|error| file(path, &error))?;
            let authorities = Certificate::from_pem_bundle(&pem)
                .map_err(|error| Failure::usage(format!("{}: {error}", path.display())))?;
            if authorities.is_empty() {
                return Err(Failure::usage(format!("{} has no certificate in PEM form", path.display())));
            }
            builder = builder.tls_certs_only(authorities);
        }
        builder.build().map_err(|error| Failure::usage(format!("no HTTP client can be made: {error}")))
    }
}

fn stored_key(path: &Path) -> Result<(String, String), Failure> {
    let advice = "give --access-key-id and --access-key-secret (or OTARU_ACCESS_KEY_ID and OTARU_ACCESS_KEY_SECRET), or run \
        this beside the server's data folder";
    let text = std::fs::read(path).map_err(|_| {
        Failure::usage(format!("no access key was given, and {} cannot be read", path.display())).advise(advice)
    })?;
    let stored: Value = serde_json::from_slice(&text)
        .map_err(|error| Failure::usage(format!("{} is not JSON: {error}", path.display())).advise(advice))?;
    match (stored["access_key_id"].as_str(), stored["access_key_secret"].as_str()) {
        (Some(id), Some(secret)) => Ok((id.to_owned(), secret.to_owned())),
        _ => Err(Failure::usage(format!("{} has no access key", path.display())).advise(advice)),
    }
}

impl Client {
    pub fn server(&self) -> &str {
        &self.server
    }

    /// A signed request to a path of the API, or to where the API pointed.
    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let url = if path.starts_with("/api/v1/") {
            format!("{}{path}", self.server)
        } else {
            format!("{}/api/v1{path}", self.server)
        };
        self.http.request(method, url).basic_auth(&self.key_id, Some(&self.secret))
    }

    /// Fetches what a link points to. It carries its own proof; the key stays here.
    pub async fn fetch(&self, url: &str) -> Result<Response, Failure> {
        self.answer(self.http.get(url)).await
    }

    /// Sends a request and takes only success for an answer.
    pub async fn answer(&self, request: RequestBuilder) -> Result<Response, Failure> {
        let response = self.send(request).await?;
        if response.status().is_success() {
            return Ok(response);
        }
        Err(refusal(response).await)
    }

    /// Sends a request; whatever the server says is an answer.
    pub async fn send(&self, request: RequestBuilder) -> Result<Response, Failure> {
        request.send().await.map_err(|error| {
            let reason = innermost(&error);
            let advice = if reason.contains("certificate") {
                "name the authority that signed the server's certificate with --ca (or OTARU_CA); that of a self-signed server \
                 is tls/cert.pem in its data folder"
            } else {
                "is the server running, and is --server (or OTARU_SERVER) its address? `otaru doctor` looks closer"
            };
            Failure::new(Kind::Server, format!("{} cannot be reached: {reason}", self.server)).advise(advice)
        })
    }

    /// The failure that a refusal is.
    pub async fn refused<T>(&self, response: Response) -> Result<T, Failure> {
        Err(refusal(response).await)
    }

    pub async fn get(&self, path: &str) -> Result<Value, Failure> {
        self.json(Method::GET, path, None).await
    }

    pub async fn post(&self, path: &str, body: &Value) -> Result<Value, Failure> {
        self.json(Method::POST, path, Some(body)).await
    }

    pub async fn patch(&self, path: &str, body: &Value) -> Result<Value, Failure> {
        self.json(Method::PATCH, path, Some(body)).await
    }

    pub async fn delete(&self, path: &str) -> Result<(), Failure> {
        self.answer(self.request(Method::DELETE, path)).await.map(drop)
    }

    async fn json(&self, method: Method, path: &str, body: Option<&Value>) -> Result<Value, Failure> {
        let mut request = self.request(method, path);
        if let Some(body) = body {
            request = request.header("content-type", "application/json").body(body.to_string());
        }
        self.answer_json(request).await
    }

    /// The JSON that the server answers with.
    pub async fn answer_json(&self, request: RequestBuilder) -> Result<Value, Failure> {
        let response = self.answer(request).await?;
        let bytes = response.bytes().await.map_err(broken)?;
        serde_json::from_slice(&bytes).map_err(|_| {
            Failure::new(Kind::Server, format!("{} answers, but not as an Otaru server does", self.server))
        })
    }

    /// Every record of a list, page after page.
    pub async fn list(&self, path: &str, filters: &[(&str, Option<&str>)]) -> Result<Vec<Value>, Failure> {
        let (mut items, mut cursor) = (Vec::new(), None::<String>);
        loop {
            let page = [("limit", Some("500")), ("cursor", cursor.as_deref())];
            let mut answer = self.get(&with_query(path, filters.iter().copied().chain(page))).await?;
            if let Some(Value::Array(more)) = answer.get_mut("items").map(Value::take) {
                items.extend(more);
            }
            cursor = answer["next_cursor"].as_str().map(str::to_owned);
            if cursor.is_none() {
                return Ok(items);
            }
        }
    }
}

/// A path with the parameters that are given.
pub fn with_query<'a>(path: &str, parameters: impl IntoIterator<Item = (&'a str, Option<&'a str>)>) -> String {
    let mut query = form_urlencoded::Serializer::new(String::new());
    for (name, value) in parameters {
        if let Some(value) = value {
            query.append_pair(name, value);
        }
    }
    let query = query.finish();
    if query.is_empty() { path.to_owned() } else { format!("{path}?{query}") }
}

/// A text as one segment of a path.
pub fn segment(text: &str) -> String {
    percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC).to_string()
}

pub fn header(headers: &HeaderMap, name: &str) -> Option<String> {
    headers.get(name)?.to_str().ok().map(str::to_owned)
}

pub fn broken(error: reqwest::Error) -> Failure {
    Failure::new(Kind::Server, format!("the connection broke: {}", innermost(&error)))
}

/// The cause at the bottom says most.
fn innermost(error: &dyn std::error::Error) -> String {
    match error.source() {
        Some(source) => innermost(source),
        None => error.to_string(),
    }
}

/// What the server said when it refused, and what helps against it.
async fn refusal(response: Response) -> Failure {
    let status = response.status();
    let bytes = response.bytes().await.unwrap_or_default();
    let problem: Value = serde_json::from_slice(&bytes).unwrap_or_default();
    let kind = if status.is_server_error() { Kind::Server } else { Kind::Refused };
    let mut text = match problem["detail"].as_str() {
        Some(detail) => detail.to_owned(),
        None => format!("the server answered {status}"),
    };
    if status.is_server_error()
        && let Some(id) = problem["request_id"].as_str()
    {
        text.push_str(&format!(" (request {id})"));
    }
    let failure = Failure::new(kind, text);
    match status {
        StatusCode::UNAUTHORIZED => {
            failure.advise("check the access key; `otaru key list` with an administrator's key shows which there are")
        }
        StatusCode::FORBIDDEN => failure.advise("use a key with a role that may: `otaru key create --role …`"),
        StatusCode::INSUFFICIENT_STORAGE => {
            failure.advise("make room on the server's disk, or delete packages nobody needs")
        }
        _ => failure,
    }
}
