//! Uploads that can be resumed (tus 1.0.0): a push that was interrupted goes on where it was when the command runs again.

use std::io::{IsTerminal, SeekFrom};
use std::path::{Path, PathBuf};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use futures::StreamExt;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use reqwest::{Body, Method, StatusCode};
use sha2::{Digest, Sha256};
use tokio::fs::File;
use tokio::io::{AsyncReadExt, AsyncSeekExt};
use tokio_util::io::ReaderStream;

use super::client::{Client, header};
use super::failure::{Failure, Kind, file};

const TRIES: u32 = 6;
const CHUNK_BYTES: usize = 256 << 10;

/// A file of this machine, and what it is.
pub struct Local {
    pub path: PathBuf,
    pub name: String,
    pub size_bytes: u64,
    pub sha256: String,
}

/// Reads a file once, to know what has to arrive.
pub async fn look_at(path: &Path, is_quiet: bool) -> Result<Local, Failure> {
    let told = |error: std::io::Error| file(path, &error);
    let name = path
        .file_name()
        .and_then(|name| name.to_str())
        .ok_or_else(|| Failure::usage(format!("{} has no name that can be sent", path.display())))?;
    let mut opened = File::open(path).await.map_err(told)?;
    let size_bytes = opened.metadata().await.map_err(told)?.len();
    if size_bytes == 0 {
        return Err(Failure::usage(format!("{} is empty", path.display())));
    }
    let bar = bar("hashing", size_bytes, is_quiet);
    let (mut hash, mut buffer) = (Sha256::new(), vec![0; CHUNK_BYTES]);
    loop {
        let read = opened.read(&mut buffer).await.map_err(told)?;
        if read == 0 {
            break;
        }
        hash.update(&buffer[..read]);
        bar.inc(read as u64);
    }
    bar.finish_and_clear();
    let sha256 = hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
    Ok(Local { path: path.to_owned(), name: name.to_owned(), size_bytes, sha256 })
}

/// Sends the file, or what is still missing of it; answers with the upload's id.
pub async fn send(client: &Client, local: &Local, is_quiet: bool) -> Result<String, Failure> {
    let memory = Memory::of(client.server(), local);
    let mut path = match memory.recall() {
        Some(path) => path,
        None => begin(client, local, &memory).await?,
    };
    let bar = bar("sending", local.size_bytes, is_quiet);
    let mut tries = 0;
    loop {
        let outcome = match offset(client, &path).await {
            Ok(None) => {
                // What was remembered has expired, or went into a package.
                path = begin(client, local, &memory).await?;
                Ok(0)
            }
            Ok(Some(offset)) if offset == local.size_bytes => break,
            Ok(Some(offset)) => Ok(offset),
            Err(failure) => Err(failure),
        };
        let failure = match outcome {
            Ok(from_byte) => match append(client, local, &path, from_byte, &bar).await {
                Ok(()) => break,
                Err(failure) => failure,
            },
            Err(failure) => failure,
        };
        tries += 1;
        if failure.kind != Kind::Server || tries >= TRIES {
            return Err(failure.advise("run the same command again: it goes on where this one ended"));
        }
        tokio::time::sleep(Duration::from_secs(1 << tries.min(4))).await;
    }
    bar.finish_and_clear();
    Ok(path.rsplit('/').next().unwrap_or_default().to_owned())
}

/// Forgets an upload that has become part of a package.
pub fn forget(client: &Client, local: &Local) {
    Memory::of(client.server(), local).forget();
}

async fn begin(client: &Client, local: &Local, memory: &Memory) -> Result<String, Failure> {
    let request = client
        .request(Method::POST, "/uploads")
        .header("tus-resumable", "1.0.0")
        .header("upload-length", local.size_bytes)
        .header("upload-metadata", format!("filename {}", STANDARD.encode(&local.name)));
    let response = client.answer(request).await?;
    let path = header(response.headers(), "location")
        .ok_or_else(|| Failure::new(Kind::Server, "the server did not say where the upload is"))?;
    memory.keep(&path);
    Ok(path)
}

/// How much of an upload is there; nothing if there is no such upload.
async fn offset(client: &Client, path: &str) -> Result<Option<u64>, Failure> {
    let response = client.send(client.request(Method::HEAD, path).header("tus-resumable", "1.0.0")).await?;
    match response.status() {
        StatusCode::NOT_FOUND | StatusCode::GONE => Ok(None),
        status if status.is_success() => {
            let offset = header(response.headers(), "upload-offset").and_then(|offset| offset.parse().ok());
            let missing = || Failure::new(Kind::Server, "the server did not say how much of the upload it has");
            offset.map(Some).ok_or_else(missing)
        }
        status => {
            let kind = if status.is_server_error() { Kind::Server } else { Kind::Refused };
            Err(Failure::new(kind, format!("the server answered {status} about the upload")))
        }
    }
}

async fn append(client: &Client, local: &Local, path: &str, from_byte: u64, bar: &ProgressBar) -> Result<(), Failure> {
    let told = |error: std::io::Error| file(&local.path, &error);
    let mut opened = File::open(&local.path).await.map_err(told)?;
    opened.seek(SeekFrom::Start(from_byte)).await.map_err(told)?;
    bar.set_position(from_byte);
    let watched = bar.clone();
    let stream = ReaderStream::with_capacity(opened.take(local.size_bytes - from_byte), CHUNK_BYTES)
        .inspect(move |piece| watched.inc(piece.as_ref().map_or(0, |piece| piece.len() as u64)));
    let request = client
        .request(Method::PATCH, path)
        .header("tus-resumable", "1.0.0")
        .header("content-type", "application/offset+octet-stream")
        .header("content-length", local.size_bytes - from_byte)
        .header("upload-offset", from_byte)
        .body(Body::wrap_stream(stream));
    let response = client.send(request).await?;
    match response.status() {
        status if status.is_success() => Ok(()),
        // The connection before is not over yet for the server, or it had more than we knew: ask again.
        StatusCode::LOCKED | StatusCode::CONFLICT => Err(Failure::new(Kind::Server, "the upload is busy")),
        _ => client.refused(response).await,
    }
}

pub fn bar(what: &'static str, bytes: u64, is_quiet: bool) -> ProgressBar {
    let is_shown = !is_quiet && std::io::stderr().is_terminal();
    let target = if is_shown { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
    let style = "{msg} {wide_bar} {bytes}/{total_bytes} {bytes_per_sec} {eta}";
    let bar = ProgressBar::with_draw_target(Some(bytes), target).with_message(what);
    bar.set_style(ProgressStyle::with_template(style).unwrap_or_else(|_| ProgressStyle::default_bar()));
    bar
}

/// Where this machine remembers an upload that is under way: by server and content, so a renamed file goes on as well.
struct Memory {
    file: Option<PathBuf>,
}

impl Memory {
    fn of(server: &str, local: &Local) -> Memory {
        let variable = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        let state = variable("XDG_STATE_HOME").or_else(|| Some(variable("HOME")?.join(".local/state")));
        let hash = Sha256::digest(format!("{server}\n{}\n{}", local.name, local.sha256));
        let name: String = hash.iter().map(|byte| format!("{byte:02x}")).collect();
        Memory { file: state.map(|state| state.join("otaru/uploads").join(name)) }
    }

    fn recall(&self) -> Option<String> {
        let path = std::fs::read_to_string(self.file.as_ref()?).ok()?;
        path.starts_with("/api/v1/uploads/").then_some(path)
    }

    /// An upload that cannot be remembered can still be finished.
    fn keep(&self, path: &str) {
        let Some(file) = &self.file else { return };
        if let Some(folder) = file.parent() {
            let _ = std::fs::create_dir_all(folder);
        }
        let _ = std::fs::write(file, path);
    }

    fn forget(&self) {
        if let Some(file) = &self.file {
            let _ = std::fs::remove_file(file);
        }
    }
}
