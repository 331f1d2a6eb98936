//! Configuration as its users meet it: what is typed, and what comes of it.

mod errors;

use std::fs;
use std::path::Path;

use clap::{Args, Command};

use super::values::Rate;
use super::*;

/// Reads a configuration from flags, variables and the text of a file.
fn load(flags: &[&str], environment: &[(&str, &str)], file: &str) -> Result<(Config, Secrets), String> {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("otaru.toml");
    fs::write(&path, file).expect("written");
    let mut all = vec![format!("--config={}", path.display())];
    all.extend(flags.iter().map(|&flag| flag.to_owned()));
    let command = Config::augment_args(Command::new("serve")).no_binary_name(true);
    let matches = command.try_get_matches_from(all).map_err(|error| error.to_string())?;
    let environment = environment.iter().map(|(name, value)| (OsString::from(name), OsString::from(value)));
    Config::load(&matches, environment).map_err(|error| error.to_string())
}

fn config(flags: &[&str], environment: &[(&str, &str)], file: &str) -> Config {
    load(flags, environment, file).expect("a configuration").0
}

fn error(flags: &[&str], environment: &[(&str, &str)], file: &str) -> String {
    load(flags, environment, file).expect_err("refused")
}

#[test]
fn nothing_has_to_be_set() {
    let config = config(&[], &[], "");
    assert_eq!(config.http.to_string(), "127.0.0.1:8080");
    assert_eq!(config.objects.to_string(), "127.0.0.1:9000");
    assert_eq!((config.https(), config.objects_https), (None, None));
    assert_eq!(config.store(), "sqlite:otaru-data/otaru.db");
    assert_eq!(config.blobs(), "fs:otaru-data/blobs");
    assert_eq!(config.master_key(&Secrets::default()), MasterKey::OwnFile("otaru-data/master.key".into()));
    assert!(config.tls_source().is_none());
    assert_eq!(config.native.package_limit_bytes, 8_589_934_592);
    assert_eq!(config.links.lifetime_s, 86_400);
    assert_eq!(config.signatures.clock_skew_s, 900);
    assert_eq!(config.oceanconnect.calls_per_minute, 100);
    assert_eq!(config.aliyun.business_failure_status(), http::StatusCode::OK);
    assert_eq!((config.log.format, config.log.level.as_str()), (LogFormat::Text, "info"));
}

#[test]
fn the_defaults_of_the_listener_are_those_of_the_options() {
    assert_eq!(format!("{:?}", config(&[], &[], "").limits()), format!("{:?}", Limits::default()));
}

#[test]
fn what_is_not_set_follows_the_data_directory() {
    let config = config(&["--data=/srv/ota", "--self-signed"], &[], "blobs = \"s3://bucket\"");
    assert_eq!(config.store(), "sqlite:/srv/ota/otaru.db");
    assert_eq!(config.blobs(), "s3://bucket");
    assert_eq!(config.master_key(&Secrets::default()), MasterKey::OwnFile("/srv/ota/master.key".into()));
    let Some(Identity::SelfSigned(own)) = config.tls_source().map(|source| source.identity) else {
        panic!("no self-signed certificate");
    };
    assert_eq!(own.directory, Path::new("/srv/ota/tls"));
}

#[test]
fn a_flag_beats_the_environment_beats_the_file_beats_the_default() {
    let file = "[listen]\ndrain_timeout_s = 1\nheader_timeout_s = 2\nbody_timeout_s = 3";
    let environment = [("OTARU_LISTEN_DRAIN_TIMEOUT_S", "11"), ("OTARU_LISTEN_HEADER_TIMEOUT_S", "12")];
    let config = config(&["--listen-drain-timeout-s=21"], &environment, file);
    assert_eq!(config.listen.drain_timeout_s, 21);
    assert_eq!(config.listen.header_timeout_s, 12);
    assert_eq!(config.listen.body_timeout_s, 3);
    assert_eq!(config.listen.keep_alive_timeout_s, 75);
}

#[test]
fn switches_can_be_turned_off_again() {
    let file = "self_signed = true\n[iotda]\nlenient_package_type = true";
    assert!(config(&[], &[], file).self_signed);
    assert!(!config(&["--self-signed=false"], &[], file).self_signed);
    assert!(!config(&[], &[("OTARU_SELF_SIGNED", "0")], file).self_signed);
    assert!(config(&["--self-signed"], &[("OTARU_SELF_SIGNED", "no")], "").self_signed);
    assert!(config(&[], &[], file).iotda.lenient_package_type);
}

#[test]
fn an_empty_variable_is_no_variable() {
    assert_eq!(config(&[], &[("OTARU_HTTP", "")], "").http.to_string(), "127.0.0.1:8080");
}

/// Sets each option alone in each of the three ways; all three have to arrive, and as the same.
#[test]
fn copies_share_what_clouds_limit() {
    assert_eq!(config(&[], &[], "").share(100), 100);
    let of_three = config(&["--copies=3"], &[], "");
    assert_eq!([100, 1, 0].map(|calls| of_three.share(calls)), [34, 1, 0], "no limit stays none");
}

#[test]
fn every_option_has_one_name_in_three_spellings() {
    let values = [
        ("aliyun-business-failure-status", "400"),
        ("aliyun-qps", "ListOTAFirmware=7"),
        ("blobs", "fs:elsewhere"),
        ("copies", "3"),
        ("download-url", "http://a"),
        ("http", "127.0.0.1:1"),
        ("https", "127.0.0.1:1"),
        ("iotda-lenient-package-type", "true"),
        ("iotda-projects", "a=DEFAULT"),
        ("iotda-refuse-wrong-sign", "true"),
        ("links-direct", "true"),
        ("listen-trusted-proxies", "10.0.0.0/8"),
        ("log-format", "json"),
        ("log-level", "debug"),
        ("log-requests", "failed"),
        ("metrics", "127.0.0.1:9464"),
        ("objects", "127.0.0.1:1"),
        ("objects-https", "127.0.0.1:1"),
        ("objects-url", "http://a"),
        ("oceanconnect-overlapping-tokens", "true"),
        ("public-url", "http://a"),
        ("regions", "cn-north-4=obs://bucket"),
        ("self-signed", "true"),
        ("store", "sqlite:elsewhere"),
        ("tls-client-auth", "require"),
    ];
    let command = Config::augment_args(Command::new("serve")).no_binary_name(true);
    let ids: Vec<_> = command.get_arguments().map(|arg| arg.get_id().to_string()).filter(|id| id != "config").collect();
    assert!(ids.len() > 40, "{}", ids.len());

    let directory = tempfile::tempdir().expect("a directory");
    let file = directory.path().join("otaru.toml");
    let shown = |flag: Option<String>, variable: Option<(String, &str)>, text: String| {
        fs::write(&file, text).expect("written");
        let config_flag = format!("--config={}", file.display());
        let flags =
            command.clone().try_get_matches_from([Some(config_flag), flag].into_iter().flatten()).expect("flags");
        let environment = variable.map(|(name, value)| (OsString::from(name), OsString::from(value)));
        let (mut config, _) = layers::load(&flags, environment.into_iter().collect()).expect("a configuration");
        config.config = None;
        format!("{config:?}")
    };
    let unset = shown(None, None, String::new());
    for id in ids {
        let value = values.iter().find(|(known, _)| *known == id).map_or("86000", |(_, value)| value);
        let by_flag = shown(Some(format!("--{id}={value}")), None, String::new());
        let by_variable =
            shown(None, Some((format!("OTARU_{}", id.to_uppercase().replace('-', "_")), value)), String::new());
        let by_key = shown(None, None, format!("{} = '{value}'", id.replace('-', "_")));
        assert_ne!(by_flag, unset, "{id}");
        assert_eq!(by_flag, by_variable, "{id}");
        assert_eq!(by_flag, by_key, "{id}");
    }
}

#[test]
fn tables_and_flat_keys_mean_the_same() {
    for file in ["[listen]\nmax_connections = 7", "listen_max_connections = 7", "listen.max-connections = \"7\""] {
        assert_eq!(config(&[], &[], file).listen.max_connections, 7, "{file}");
    }
}

#[test]
fn tables_with_free_names() {
    let file = "
        [regions.cn-north-4]
        url = 'obs://bucket?endpoint=https://obs.example'
        [regions]
        cn-east-3 = 's3://other'
        [aliyun.qps]
        ListOTAFirmware = 50
    ";
    let read = config(&[], &[], file);
    let regions: Vec<_> = read.regions.iter().map(|region| (region.name.as_str(), region.url.as_str())).collect();
    assert_eq!(regions, [("cn-east-3", "s3://other"), ("cn-north-4", "obs://bucket?endpoint=https://obs.example")]);
    assert_eq!(read.aliyun.qps, [Rate { operation: "ListOTAFirmware".to_owned(), per_second: 50 }]);

    assert_eq!(config(&["--aliyun-qps=A=1,B=2", "--aliyun-qps=C=3"], &[], file).aliyun.qps.len(), 3);
}

#[test]
fn https_comes_with_a_certificate() {
    let https = |flags: &[&str]| config(flags, &[], "").https().map(|address| address.to_string());
    assert_eq!(https(&["--self-signed"]).as_deref(), Some("127.0.0.1:8443"));
    assert_eq!(https(&["--self-signed", "--https=127.0.0.1:0"]).as_deref(), Some("127.0.0.1:0"));
    assert_eq!(https(&["--tls-cert=a", "--tls-key=b", "--http=[::1]:80"]).as_deref(), Some("[::1]:8443"));
}

#[test]
fn links_carry_the_addresses_that_are_set_or_open() {
    let (http, objects) = (([127, 0, 0, 1], 4001).into(), ([127, 0, 0, 1], 4002).into());
    let local = config(&["--http=localhost:0"], &[], "").base_urls(http, objects);
    assert_eq!(local.public, "http://127.0.0.1:4001");
    assert_eq!(local.download, "http://127.0.0.1:4001");
    assert_eq!(local.objects, "http://127.0.0.1:4002");

    let open = ([0, 0, 0, 0], 9000).into();
    let flags = ["--http=0.0.0.0:80", "--objects=0.0.0.0:9000", "--public-url=https://ota.example.com/base/"];
    let public = config(&flags, &[], "").base_urls(http, open);
    assert_eq!(public.public, "https://ota.example.com/base");
    assert_eq!(public.download, "https://ota.example.com/base");
    assert_eq!(public.objects, "http://ota.example.com:9000");

    let all = config(&["--download-url=https://dl:444", "--objects-url=https://o"], &[], "").base_urls(http, objects);
    assert_eq!((all.download.as_str(), all.objects.as_str()), ("https://dl:444", "https://o"));
}

#[test]
fn secrets_come_by_environment_and_are_not_shown() {
    let environment = [
        ("OTARU_MASTER_KEY", "topsecret"),
        ("OTARU_ACCESS_KEY_ID", "AK"),
        ("OTARU_ACCESS_KEY_SECRET", "hush"),
        ("OTARU_BLOBS_ACCESS_KEY_ID", "BUCKETAK"),
        ("OTARU_BLOBS_ACCESS_KEY_SECRET", "hush hush"),
    ];
    let (config, secrets) = load(&["--master-key-file=key"], &environment, "").expect("a configuration");
    let MasterKey::Given(key) = config.master_key(&secrets) else { panic!("the environment wins") };
    assert_eq!(key.reveal(), "topsecret");
    let (id, secret) = secrets.first_key.clone().expect("a key pair");
    assert_eq!((id.as_str(), secret.reveal()), ("AK", "hush"));
    let (id, secret) = secrets.blobs_key.clone().expect("a key pair");
    assert_eq!((id.as_str(), secret.reveal()), ("BUCKETAK", "hush hush"));
    let shown = format!("{config:?} {secrets:?}");
    assert!(!shown.contains("topsecret") && !shown.contains("hush"), "{shown}");

    let half = error(&[], &[("OTARU_ACCESS_KEY_ID", "AK")], "");
    assert!(half.contains("OTARU_ACCESS_KEY_SECRET") && half.contains("set both"), "{half}");
}
