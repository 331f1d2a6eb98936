//! What is refused, and how that is said.

use clap::{Args, Command};

use super::super::Config;
use super::error;

#[test]
fn errors_say_where_and_what_would_be_right() {
    for (flags, environment, file, expected) in [
        (&["--http=8080"][..], &[][..], "", &["--http", "expected ADDRESS:PORT, such as 127.0.0.1:8080"][..]),
        (&[], &[("OTARU_HTTP", "here")], "", &["OTARU_HTTP: invalid value 'here'", "expected ADDRESS:PORT"]),
        (&[], &[], "http = \"here\"", &["otaru.toml, `http`: invalid value 'here'", "expected ADDRESS:PORT"]),
        (&[], &[], "[listen]\nmax_connections = 0", &["`listen.max_connections`", "0 is not in 1..=1000000"]),
        (&[], &[], "metrics = \"here\"", &["`metrics`", "expected local, open, off, or ADDRESS:PORT"]),
        (&[], &[], "[listen]\ntrusted_proxies = [\"10.0.0.0/33\"]", &["`listen.trusted_proxies`", "such as 10.0.0.7"]),
        (&[], &[], "[log]\nformat = \"xml\"", &["`log.format`", "[possible values: text, json]"]),
        (&[], &[], "[log]\nlevel = \"wran\"", &["`log.level`", "expected error, warn, info"]),
        (&[], &[], "[tls]\ncrt = \"a\"", &["no option `tls.crt`", "there are cert, key, client_ca"]),
        (&[], &[], "stor = \"a\"", &["no option `stor`", "store, blobs"]),
        (&[], &[], "config = \"a\"", &["no option `config`"]),
        (&[], &[], "master_key = \"a\"", &["no option `master_key`", "OTARU_MASTER_KEY"]),
        (&[], &[], "http = 1.5", &["`http` cannot be float"]),
        (&[], &[], "http = [", &["not valid TOML"]),
        (&[], &[], "store = \"mysql://a\"", &["`store`", "sqlite: or postgres://"]),
        (&[], &[], "blobs = \"fs:\"", &["`blobs`", "fs: or s3://"]),
        (&[], &[], "public_url = \"ota.example.com\"", &["`public_url`", "expected an address such as https://"]),
        (&[], &[], "[regions.a]\nendpoint = \"b\"", &["`regions.a.endpoint`", "`regions.a` has `url` only"]),
        (&[], &[], "[aliyun.qps]\nA = 0", &["`aliyun.qps`", "one at least"]),
        (&[], &[("OTARU_ALIYUN_BUSINESS_FAILURE_STATUS", "500")], "", &["possible values: 200, 400"]),
        // What only several options together can show.
        (
            &["--http=0.0.0.0:8080"],
            &[],
            "",
            &["`public_url` is missing", "`http` = 0.0.0.0:8080", "https://ota.example.com"],
        ),
        (&["--objects=[::]:9000"], &[], "", &["`public_url` is missing", "`objects` = [::]:9000"]),
        (&["--tls-cert=a"], &[], "", &["`tls.cert` is set and `tls.key` is not"]),
        (&["--tls-cert=a", "--tls-key=b", "--self-signed"], &[], "", &["choose one"]),
        (&["--https=127.0.0.1:1"], &[], "", &["`https` is set and there is no certificate"]),
        (&["--self-signed", "--tls-client-auth=require"], &[], "", &["`tls.client_ca`"]),
        (&["--self-signed", "--tls-client-ca=a"], &[], "", &["`tls.client_auth` is off"]),
        (&["--iotda-projects=a"], &[], "", &["--iotda-projects", "ID=TENANT"]),
        (
            &["--store=postgres://db/otaru"],
            &[],
            "",
            &["`master_key_file` or the environment variable OTARU_MASTER_KEY"],
        ),
    ] {
        let text = error(flags, environment, file);
        for part in expected {
            assert!(text.contains(part), "{part:?} in {text:?}");
        }
    }
}

#[test]
fn a_named_file_has_to_be_there() {
    let command = Config::augment_args(Command::new("serve")).no_binary_name(true);
    let matches = command.try_get_matches_from(["--config=/nowhere/otaru.toml"]).expect("flags");
    let text = Config::load(&matches, []).expect_err("refused").to_string();
    assert!(text.contains("cannot read the configuration file /nowhere/otaru.toml"), "{text}");
}
