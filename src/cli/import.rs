//! Import: packages by the thousand, described in a file with one line of JSON for each.

use std::path::Path;

use reqwest::{Method, header};
use serde_json::{Value, json};
use tokio::fs::File;
use tokio::io::{AsyncBufReadExt, BufReader};

use super::client::Client;
use super::failure::{Failure, Kind, file};
use super::push;

const LINES_AT_ONCE: usize = 5_000;
const BYTES_AT_ONCE: usize = 4 << 20;
/// More refused lines than this are counted and not told.
const TOLD: usize = 20;

/// Sends a file's lines piece by piece. Fails if a line was refused, after all others have been sent.
pub async fn run(client: &Client, path: &Path, as_json: bool) -> Result<(), Failure> {
    let told = |error: std::io::Error| file(path, &error);
    let opened = File::open(path).await.map_err(told)?;
    let bar = push::bar("importing", opened.metadata().await.map_err(told)?.len(), as_json);
    let mut reader = BufReader::new(opened);
    let (mut made, mut refused, mut before) = (0, Vec::new(), 0);
    loop {
        let (piece, lines) = next_piece(&mut reader).await.map_err(told)?;
        if lines == 0 {
            break;
        }
        let sent = piece.len() as u64;
        let answer = send(client, piece).await.map_err(|failure| {
            failure.advise(format!("the first {before} lines are done; the rest may be sent again from there"))
        })?;
        made += answer["made"].as_u64().unwrap_or(0);
        for problem in answer["refused"].as_array().into_iter().flatten() {
            let line = before + problem["line"].as_u64().unwrap_or(0);
            refused.push(json!({ "line": line, "problem": problem["problem"], "detail": problem["detail"] }));
        }
        before += lines;
        bar.inc(sent);
    }
    bar.finish_and_clear();
    tell(made, &refused, as_json);
    match refused.len() {
        0 => Ok(()),
        count => Err(Failure::new(Kind::Refused, format!("{count} of {before} lines were refused"))),
    }
}

async fn next_piece(reader: &mut BufReader<File>) -> std::io::Result<(Vec<u8>, u64)> {
    let (mut piece, mut lines) = (Vec::new(), 0);
    while lines < LINES_AT_ONCE && piece.len() < BYTES_AT_ONCE && reader.read_until(b'\n', &mut piece).await? > 0 {
        lines += 1;
    }
    Ok((piece, lines as u64))
}

async fn send(client: &Client, piece: Vec<u8>) -> Result<Value, Failure> {
    let request = client.request(Method::POST, "/packages/import");
    let request = request.header(header::CONTENT_TYPE, "application/x-ndjson").body(piece);
    client.answer_json(request).await
}

fn tell(made: u64, refused: &[Value], as_json: bool) {
    if as_json {
        println!("{}", json!({ "made": made, "refused": refused }));
        return;
    }
    println!("{made} packages were made");
    for problem in refused.iter().take(TOLD) {
        let text = |name: &str| problem[name].as_str().unwrap_or_default().to_owned();
        println!("line {}: {} ({})", problem["line"], text("detail"), text("problem"));
    }
    if refused.len() > TOLD {
        println!("and {} more", refused.len() - TOLD);
    }
}
