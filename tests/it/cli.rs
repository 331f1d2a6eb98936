//! The command line against a real server: what people type, what they read, and the exit codes that scripts see.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use serde_json::Value;

use super::http::Request;
use super::server::{ACCESS_KEY_ID, ACCESS_KEY_SECRET, Server, binary};

/// Runs a command in the server's folder, with its key and a state folder of the test's own.
fn otaru(server: &Server, arguments: &[&str]) -> Output {
    command(server, arguments).output().expect("the command can be run")
}

fn command(server: &Server, arguments: &[&str]) -> Command {
    let mut command = Command::new(binary());
    command.args(arguments).current_dir(server.folder.path());
    command.env("OTARU_SERVER", format!("http://{}", server.http)).env("XDG_STATE_HOME", server.folder.path());
    command.env("OTARU_ACCESS_KEY_ID", ACCESS_KEY_ID).env("OTARU_ACCESS_KEY_SECRET", ACCESS_KEY_SECRET);
    command
}

#[track_caller]
fn expect(output: Output, code: i32) -> (String, String) {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let (out, err) = (text(&output.stdout), text(&output.stderr));
    assert_eq!(output.status.code(), Some(code), "stdout: {out}\nstderr: {err}");
    (out, err)
}

#[track_caller]
fn json(output: Output) -> Value {
    let (out, _) = expect(output, 0);
    serde_json::from_str(&out).unwrap_or_else(|error| panic!("{error}: {out}"))
}

#[test]
fn a_team_publishes_a_firmware_from_the_command_line() {
    let server = Server::start();
    let run = |arguments: &[&str]| otaru(&server, arguments);
    expect(run(&["product", "create", "lamp", "--code", "LAMP", "--model", "L1"]), 0);
    let (table, _) = expect(run(&["product", "list"]), 0);
    assert!(table.lines().next().is_some_and(|heading| heading.contains("CODE")), "{table}");
    assert!(table.contains("LAMP"), "{table}");

    let bytes: Vec<u8> = (0..1_000_000u32).map(|number| (number.wrapping_mul(number) >> 7) as u8).collect();
    std::fs::write(server.folder.path().join("lamp-2.bin"), &bytes).unwrap();
    let push = ["package", "push", "lamp-2.bin", "--product", "LAMP", "--version", "2.0", "--json"];
    let package = json(run(&push));
    let id = package["id"].as_str().unwrap();
    assert_eq!((&package["version"], &package["integrity"]), (&"2.0".into(), &"ready".into()));
    assert_eq!(package["files"][0]["name"], "lamp-2.bin");
    assert_eq!(std::fs::read_dir(server.folder.path().join("otaru/uploads")).unwrap().count(), 0, "nothing to resume");

    let (listed, _) = expect(run(&["package", "list", "--product", "LAMP"]), 0);
    assert!(listed.contains(id) && listed.contains("976.6 KiB"), "{listed}");
    expect(run(&["package", "verify", id]), 0);
    expect(run(&["package", "download", id, "--output", "fetched"]), 0);
    assert!(std::fs::read(server.folder.path().join("fetched/lamp-2.bin")).unwrap() == bytes, "other bytes came back");

    spoil(&server.data().join("blobs"), bytes.len() as u64);
    let (out, err) = expect(run(&["package", "verify", id]), 1);
    assert!(out.contains("not those that were uploaded") && err.contains("is not what it should be"), "{out}{err}");
    expect(run(&["package", "delete", id]), 0);
    expect(run(&["package", "show", id]), 3);
}

#[test]
fn a_list_of_packages_is_imported() {
    let server = Server::start();
    let run = |arguments: &[&str]| otaru(&server, arguments);
    expect(run(&["product", "create", "lamp", "--code", "LAMP"]), 0);
    let put = |request| super::objects::signed(request).send(server.objects).expect(200);
    put(Request::new("PUT", "/updates"));
    put(Request::new("PUT", "/updates/lamp.bin").body(b"a lamp's firmware".to_vec()));
    let line = |version: &str, product: &str| {
        let file = serde_json::json!({ "object": { "bucket": "updates", "key": "lamp.bin" } });
        serde_json::json!({ "product": product, "version": version, "files": [file] }).to_string()
    };
    let lines = [line("1", "LAMP"), line("2", "NONE"), line("3", "LAMP")].join("\n");
    std::fs::write(server.folder.path().join("list.ndjson"), lines).unwrap();
    let (out, err) = expect(run(&["package", "import", "list.ndjson"]), 3);
    assert!(out.contains("line 2") && out.contains("NONE"), "{out}");
    assert!(err.contains("of 3 lines were refused"), "{err}");
}

/// Changes a byte of the one file of that length.
fn spoil(folder: &Path, size_bytes: u64) {
    for entry in std::fs::read_dir(folder).unwrap().flatten() {
        let path = entry.path();
        let metadata = entry.metadata().unwrap();
        if metadata.is_dir() {
            spoil(&path, size_bytes);
        } else if metadata.len() == size_bytes {
            let mut bytes = std::fs::read(&path).unwrap();
            bytes[0] ^= 1;
            std::fs::remove_file(&path).unwrap();
            std::fs::write(&path, bytes).unwrap();
        }
    }
}

#[test]
fn an_interrupted_push_goes_on_where_it_was() {
    let server = Server::start();
    expect(otaru(&server, &["product", "create", "lamp", "--code", "LAMP"]), 0);
    let bytes = vec![7u8; 300_000];
    std::fs::write(server.folder.path().join("lamp.bin"), &bytes).unwrap();
    // A first part as an earlier run would have left it: the upload is begun, and this machine remembers it.
    let made = server.send(
        &signed("POST", "/api/v1/uploads")
            .header("Upload-Length", "300000")
            .header("Upload-Metadata", "filename bGFtcC5iaW4="),
    );
    assert_eq!(made.status, 201);
    let location = header(&made.headers, "location").to_owned();
    let piece = signed("PATCH", &location)
        .header("Upload-Offset", "0")
        .header("Content-Type", "application/offset+octet-stream")
        .body(&bytes[..200_000]);
    assert_eq!(server.send(&piece).status, 204);
    let uploads = server.folder.path().join("otaru/uploads");
    std::fs::create_dir_all(&uploads).unwrap();
    // Under which name it is remembered is told by a run that fails after the upload: the version is refused.
    let push = ["package", "push", "lamp.bin", "--product", "LAMP", "--json", "--version"];
    let refused = "x".repeat(300);
    expect(otaru(&server, &[&push[..], &[&refused]].concat()), 3);
    let remembered: Vec<_> = std::fs::read_dir(&uploads).unwrap().flatten().collect();
    assert_eq!(remembered.len(), 1);
    std::fs::write(remembered[0].path(), &location).unwrap();

    let package = json(otaru(&server, &[&push[..], &["1"]].concat()));
    assert_eq!(package["files"][0]["size_bytes"], 300_000);
    let gone = server.send(&signed("GET", &location));
    assert_eq!(gone.status, 404, "the begun upload went into the package");
}

fn signed(method: &str, target: &str) -> Request {
    use base64::Engine;
    let pair = base64::engine::general_purpose::STANDARD.encode(format!("{ACCESS_KEY_ID}:{ACCESS_KEY_SECRET}"));
    let request = Request::new(method, target).header("Tus-Resumable", "1.0.0");
    request.header("Authorization", format!("Basic {pair}"))
}

fn header<'a>(headers: &'a [(String, String)], name: &str) -> &'a str {
    let found = headers.iter().find(|(given, _)| given.eq_ignore_ascii_case(name));
    found.map(|(_, value)| value.as_str()).unwrap_or_default()
}

/// A team that leaves a cloud keeps the pair that its programs have; its secret is in no list of processes.
#[test]
fn a_pair_from_elsewhere_is_taken_in_and_ends_when_it_shall() {
    let server = Server::start();
    let create = |id: &str, secret: Option<&str>, line: &str| {
        let mut command = command(&server, &["key", "create", "--role", "publisher", "--json", "--id", id]);
        if let Some(secret) = secret {
            command.env("OTARU_NEW_KEY_SECRET", secret);
        }
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        // A command that has its secret from the environment need not wait for this.
        let _ = child.stdin.take().unwrap().write_all(line.as_bytes());
        child.wait_with_output().unwrap()
    };
    let made = json(create("LTAI5tFromEnvironment", Some("kept-in-the-environment"), ""));
    assert_eq!((&made["id"], &made["secret"]), (&"LTAI5tFromEnvironment".into(), &"kept-in-the-environment".into()));
    let made = json(create("LTAI5tFromInput", None, "typed-or-piped-in\r\nnot this\n"));
    assert_eq!(made["secret"], "typed-or-piped-in");

    let with = |id: &'static str, secret: &'static str| {
        otaru(&server, &["space", "list", "--access-key-id", id, "--access-key-secret", secret])
    };
    expect(with("LTAI5tFromEnvironment", "kept-in-the-environment"), 0);
    expect(with("LTAI5tFromInput", "typed-or-piped-in"), 0);
    let (_, taken) = expect(create("LTAI5tFromInput", None, "another-secret-of-it\n"), 3);
    assert!(taken.contains("LTAI5tFromInput") && taken.contains("exists"), "{taken}");
    let (_, weak) = expect(create("LTAI5tWeak", None, "short\n"), 3);
    assert!(weak.contains("secret must be 16 to 128"), "{weak}");
    let (_, none) = expect(create("LTAI5tNone", None, ""), 2);
    assert!(none.contains("OTARU_NEW_KEY_SECRET"), "{none}");

    let ended = json(otaru(&server, &["key", "expire", "LTAI5tFromInput", "2020-01-31T12:00:00Z", "--json"]));
    assert_eq!((&ended["expires"], &ended["is_active"]), (&"2020-01-31T12:00:00.000Z".into(), &false.into()));
    expect(with("LTAI5tFromInput", "typed-or-piped-in"), 3);
    let (_, later) = expect(otaru(&server, &["key", "expire", "LTAI5tFromInput", "2030-01-31T12:00:00Z"]), 3);
    assert!(later.contains("can only be brought forward"), "{later}");
}

#[test]
fn failures_say_what_to_do_and_have_codes_of_their_own() {
    let server = Server::start();
    let run = |arguments: &[&str]| otaru(&server, arguments);
    let (_, usage) = expect(run(&["package", "lst"]), 2);
    assert!(usage.contains("list"), "{usage}");
    let (_, file) = expect(run(&["package", "push", "none.bin", "--product", "P", "--version", "1"]), 2);
    assert!(file.contains("none.bin"), "{file}");
    let (_, refused) = expect(run(&["product", "show", "none"]), 3);
    assert!(refused.contains("there is no product none"), "{refused}");
    let (_, wrong_key) = expect(run(&["space", "list", "--access-key-secret", "wrong"]), 3);
    assert!(wrong_key.contains("check the access key"), "{wrong_key}");
    let (_, nobody) = expect(run(&["space", "list", "--server", "http://127.0.0.1:1"]), 4);
    assert!(nobody.contains("is the server running"), "{nobody}");
}

#[test]
fn without_a_key_the_servers_own_credentials_are_used() {
    let server = Server::start();
    let mut command = Command::new(binary());
    command.args(["tenant", "list", "--credentials", "data"]).current_dir(server.folder.path());
    command.env("OTARU_SERVER", format!("http://{}", server.http));
    command.env_remove("OTARU_ACCESS_KEY_ID").env_remove("OTARU_ACCESS_KEY_SECRET");
    let (out, _) = expect(command.output().unwrap(), 0);
    assert!(out.contains("DEFAULT"), "{out}");
}

#[test]
fn the_doctor_finds_what_is_wrong() {
    let server = Server::start();
    let data = server.data();
    let data = data.to_str().unwrap();
    let ports = ["--http", "127.0.0.1:0", "--objects", "127.0.0.1:0"];
    let doctor = [&["doctor", "--json", "--data", data], &ports[..]].concat();
    let found = json(otaru(&server, &doctor));
    let verdict = |found: &Value, what: &str| {
        let line = found.as_array().unwrap().iter().find(|line| line["check"] == what);
        line.map(|line| line["verdict"].as_str().unwrap().to_owned()).unwrap_or_default()
    };
    for what in
        ["server", "clock", "server store", "configuration", "data folder", "store", "master key", "certificate"]
    {
        assert_eq!(verdict(&found, what), "ok", "{what}: {found:#}");
    }
    let other_key = server.folder.path().join("other.key");
    let made = Server::start();
    std::fs::copy(made.data().join("master.key"), &other_key).unwrap();
    let with_other = [&doctor[..], &["--master-key-file", other_key.to_str().unwrap()]].concat();
    let (out, err) = expect(otaru(&server, &with_other), 1);
    let found: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(verdict(&found, "master key"), "fail", "{out}");
    assert!(err.contains("1 of"), "{err}");
}

/// The command's output on a terminal of 100 columns; what goes to standard error is in it as well.
fn on_a_terminal(server: &Server, arguments: &str) -> String {
    let line = format!("stty cols 100 && exec {} {arguments}", binary().display());
    let mut terminal = Command::new("script");
    terminal.args(["--quiet", "--return", "--command", &line, "/dev/null"]).current_dir(server.folder.path());
    terminal.envs(command(server, &[]).get_envs().filter_map(|(name, value)| Some((name, value?))));
    let output =
        terminal.env("TERM", "xterm").stdin(Stdio::null()).output().expect("script is there: ./setup installs it");
    expect(output, 0).0
}

#[test]
fn a_push_shows_how_fast_it_is_to_people_and_to_nobody_else() {
    let server = Server::start();
    expect(otaru(&server, &["product", "create", "lamp", "--code", "LAMP"]), 0);
    let bytes: Vec<u8> = (0..24_000_000u32).map(|number| (number.wrapping_mul(number) >> 9) as u8).collect();
    std::fs::write(server.folder.path().join("lamp.bin"), &bytes).unwrap();

    let seen = on_a_terminal(&server, "package push lamp.bin --product LAMP --version 1");
    for what in ["hashing", "sending"] {
        let bar = seen.split(['\r', '\n']).find(|line| line.contains(what) && line.contains("B/s"));
        let bar = bar.unwrap_or_else(|| panic!("no bar of {what}: {seen:?}"));
        // The bytes of all bytes, the rate, and the time that is left.
        let words: Vec<&str> = bar.split_whitespace().collect();
        assert!(bar.contains("22.89 MiB"), "{bar:?}");
        assert!(words.iter().any(|word| word.ends_with("B/s")), "{bar:?}");
        let left = words.last().unwrap().trim_end_matches(|letter: char| !letter.is_ascii_alphanumeric());
        assert!(left.ends_with('s') && left[..left.len() - 1].parse::<u32>().is_ok(), "{bar:?}");
    }

    let seen = on_a_terminal(&server, "package push lamp.bin --product LAMP --version 2 --json");
    let package: Value = serde_json::from_str(&seen).unwrap_or_else(|error| panic!("{error}: {seen:?}"));
    assert_eq!(package["version"], "2");
    let (_, err) = expect(otaru(&server, &["package", "push", "lamp.bin", "--product", "LAMP", "--version", "3"]), 0);
    assert_eq!(err, "", "a file or a pipe gets no bar");
}

#[test]
fn a_server_with_its_own_authority_is_reached_over_tls() {
    let server = Server::with(&["--self-signed", "--https", "127.0.0.1:0"]);
    let address = format!("https://{}", server.https.expect("the ready line names the HTTPS address"));
    let ca = server.data().join("tls/cert.pem");
    let over_tls = |arguments: &[&str]| {
        let connection = ["--server", &address, "--ca", ca.to_str().unwrap()];
        otaru(&server, &[arguments, &connection[..]].concat())
    };
    expect(over_tls(&["product", "create", "lamp", "--code", "LAMP"]), 0);
    std::fs::write(server.folder.path().join("lamp.bin"), vec![5u8; 300_000]).unwrap();
    let push = ["package", "push", "lamp.bin", "--product", "LAMP", "--version", "1", "--json"];
    let package = json(over_tls(&push));
    assert_eq!(package["files"][0]["size_bytes"], 300_000);
    let by_environment = command(&server, &["space", "list", "--server", &address]).env("OTARU_CA", &ca).output();
    expect(by_environment.unwrap(), 0);

    let (_, unknown) = expect(otaru(&server, &["space", "list", "--server", &address]), 4);
    assert!(unknown.contains("certificate") && unknown.contains("--ca"), "{unknown}");
    let other = Server::with(&["--self-signed", "--https", "127.0.0.1:0"]);
    let wrong = other.data().join("tls/cert.pem");
    let listed = otaru(&server, &["space", "list", "--server", &address, "--ca", wrong.to_str().unwrap()]);
    assert!(expect(listed, 4).1.contains("certificate"));
    let no_pem = otaru(&server, &["space", "list", "--server", &address, "--ca", "lamp.bin"]);
    assert!(expect(no_pem, 2).1.contains("lamp.bin"));
}
