//! Certificates: do they fit their key, each other, the time and the names that clients use?

use std::path::Path;
use std::time::{Duration, UNIX_EPOCH};

use otaru_core::clock::Clock;
use rustls::client::verify_server_name;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::server::ParsedCertificate;

use super::{Findings, Verdict};
use crate::config::{Config, WebAddress};
use crate::listen::tls::{Identity, Tls};

const DAY_MS: i64 = 24 * 3_600_000;
/// Whoever renews by hand needs some time for it.
const SOON_MS: i64 = 21 * DAY_MS;

pub fn check(config: &Config, findings: &mut Findings) {
    let Some(source) = config.tls_source() else {
        return findings.ok("certificate", "none is configured; HTTPS is off");
    };
    if let Some(authority) = &config.tls.client_ca {
        for (number, dates) in dates_of(authority).into_iter().enumerate() {
            judge(
                "client authority",
                &format!("certificate {} of {}", number + 1, authority.display()),
                dates,
                findings,
            );
        }
    }
    let path = match &source.identity {
        Identity::SelfSigned(_) => {
            return findings.ok("certificate", "self-signed and renewed by itself; clients need its authority");
        }
        Identity::Files { cert, .. } => cert.clone(),
    };
    let now = UNIX_EPOCH + Duration::from_millis(Clock::system().now_ms().unsigned_abs());
    if let Err(error) = Tls::load(source, now) {
        return findings.fail(
            "certificate",
            error.to_string(),
            "set `tls.cert` and `tls.key` to files that belong together",
        );
    }
    findings.ok("certificate", "it fits its key");
    let chain = chain_of(&path);
    order(&chain, findings);
    for (number, one) in chain.iter().enumerate() {
        let whose =
            if number == 0 { "the server's certificate".to_owned() } else { format!("certificate {}", number + 1) };
        judge("certificate time", &whose, facts(one).map(|facts| facts.dates), findings);
    }
    let addresses = [&config.public_url, &config.download_url, &config.objects_url];
    if let Some(own) = chain.first() {
        addresses.into_iter().flatten().for_each(|address| name(own, address, findings));
    }
}

/// Each certificate is signed by the next one, and the last one by somebody that clients know.
fn order(chain: &[CertificateDer<'_>], findings: &mut Findings) {
    let known: Vec<Facts<'_>> = chain.iter().filter_map(|one| facts(one)).collect();
    let breaks = known.windows(2).position(|pair| pair[0].issuer != pair[1].subject);
    match (breaks, known.as_slice()) {
        (Some(at), _) => {
            let text = format!("certificate {} is not signed by the one behind it", at + 1);
            let advice = "put them in order: the server's own first, then each one's signer";
            findings.fail("certificate chain", text, advice);
        }
        (None, [own]) if own.issuer != own.subject => {
            let advice = "put the authority's intermediate certificates behind it: many devices cannot fetch them";
            findings.warn("certificate chain", "the server's certificate stands alone", advice);
        }
        (None, _) => findings.ok("certificate chain", format!("{} in order", known.len())),
    }
}

fn name(own: &CertificateDer<'_>, address: &WebAddress, findings: &mut Findings) {
    if !address.to_string().starts_with("https:") {
        return;
    }
    let host = address.host().trim_start_matches('[').trim_end_matches(']').to_owned();
    let fits = match (ServerName::try_from(host.clone()), ParsedCertificate::try_from(own)) {
        (Ok(name), Ok(parsed)) => verify_server_name(&parsed, &name).is_ok(),
        _ => false,
    };
    if fits {
        findings.ok("certificate name", format!("it is for {host}"));
    } else {
        let advice = "get one for that name, unless a proxy with a certificate of its own stands in front";
        findings.warn("certificate name", format!("it is not for {host}, where links point"), advice);
    }
}

fn judge(what: &str, whose: &str, dates: Option<(i64, i64)>, findings: &mut Findings) {
    let Some((from_ms, until_ms)) = dates else {
        return findings.warn(what, format!("{whose} cannot be read"), "look with `openssl x509 -text`");
    };
    let now_ms = Clock::system().now_ms();
    let day = |ms: i64| jiff::Timestamp::from_millisecond(ms).map_or_else(|_| "?".to_owned(), |time| time.to_string());
    let (verdict, text) = match () {
        () if now_ms < from_ms => (Verdict::Fail, format!("{whose} is valid from {} on only", day(from_ms))),
        () if now_ms >= until_ms => (Verdict::Fail, format!("{whose} expired at {}", day(until_ms))),
        () if now_ms >= until_ms - SOON_MS => (Verdict::Warn, format!("{whose} expires at {}", day(until_ms))),
        () => return findings.ok(what, format!("{whose} is valid until {}", day(until_ms))),
    };
    findings.add(what, verdict, text, "renew it; new files are taken without a restart");
}

fn chain_of(path: &Path) -> Vec<CertificateDer<'static>> {
    let Ok(pem) = std::fs::read(path) else { return Vec::new() };
    CertificateDer::pem_slice_iter(&pem).filter_map(Result::ok).collect()
}

fn dates_of(path: &Path) -> Vec<Option<(i64, i64)>> {
    chain_of(path).iter().map(|one| facts(one).map(|facts| facts.dates)).collect()
}

/// What of a certificate is looked at (RFC 5280 section 4.1).
struct Facts<'a> {
    issuer: &'a [u8],
    subject: &'a [u8],
    /// From and until, in milliseconds since 1970.
    dates: (i64, i64),
}

fn facts<'a>(certificate: &'a CertificateDer<'_>) -> Option<Facts<'a>> {
    let (_, certificate, _) = element(certificate)?;
    let (_, mut fields, _) = element(certificate)?;
    // The version is left out by certificates of version 1.
    if let (0xa0, _, rest) = element(fields)? {
        fields = rest;
    }
    let (_, _, fields) = element(fields)?;
    let (_, _, fields) = element(fields)?;
    let (_, issuer, fields) = element(fields)?;
    let (_, dates, fields) = element(fields)?;
    let (_, subject, _) = element(fields)?;
    let (from_tag, from, until) = element(dates)?;
    let (until_tag, until, _) = element(until)?;
    Some(Facts { issuer, subject, dates: (time_ms(from_tag, from)?, time_ms(until_tag, until)?) })
}

/// The first DER element: its tag, its content, and what stands behind it.
fn element(der: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (&tag, rest) = der.split_first()?;
    let (&first, rest) = rest.split_first()?;
    let (length, rest) = match first {
        0..=0x7f => (usize::from(first), rest),
        0x81..=0x84 => {
            let (digits, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
            (digits.iter().fold(0, |length, &digit| length << 8 | usize::from(digit)), rest)
        }
        _ => return None,
    };
    let (content, rest) = rest.split_at_checked(length)?;
    Some((tag, content, rest))
}

/// `YYMMDDhhmmssZ` before 2050 and `YYYYMMDDhhmmssZ` from then on.
fn time_ms(tag: u8, text: &[u8]) -> Option<i64> {
    let text = std::str::from_utf8(text).ok()?;
    let full = match tag {
        0x17 => format!("{}{text}", if text < "50" { "20" } else { "19" }),
        0x18 => text.to_owned(),
        _ => return None,
    };
    let time = jiff::civil::DateTime::strptime("%Y%m%d%H%M%SZ", full).ok()?;
    Some(time.to_zoned(jiff::tz::TimeZone::UTC).ok()?.timestamp().as_millisecond())
}

#[cfg(test)]
mod tests {
    use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, date_time_ymd};

    use super::*;

    fn named(name: &str) -> CertificateParams {
        let mut params = CertificateParams::new(vec![name.to_owned()]).expect("parameters");
        params.distinguished_name.push(DnType::CommonName, name);
        params.not_before = date_time_ymd(2024, 2, 29);
        params.not_after = date_time_ymd(2077, 1, 2);
        params
    }

    /// A server's certificate and its authority's.
    fn chain() -> Vec<CertificateDer<'static>> {
        let (key, own_key) = (KeyPair::generate().expect("a key"), KeyPair::generate().expect("a key"));
        let mut authority = named("authority");
        authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let issuer = Issuer::from_params(&authority, &key);
        let own = named("ota.example.org").signed_by(&own_key, &issuer).expect("a certificate");
        vec![own.der().clone(), authority.self_signed(&key).expect("a certificate").der().clone()]
    }

    fn verdicts(look: impl FnOnce(&mut Findings)) -> Vec<&'static str> {
        let mut findings = Findings::default();
        look(&mut findings);
        findings.0.iter().map(|finding| finding.verdict.name()).collect()
    }

    #[test]
    fn dates_are_read_in_both_their_forms() {
        let chain = chain();
        let facts = facts(&chain[0]).expect("facts");
        let ms = |text: &str| text.parse::<jiff::Timestamp>().expect("a time").as_millisecond();
        assert_eq!(facts.dates, (ms("2024-02-29T00:00:00Z"), ms("2077-01-02T00:00:00Z")));
        assert_eq!(time_ms(0x17, b"491231235959Z"), Some(ms("2049-12-31T23:59:59Z")));
        assert_eq!(time_ms(0x17, b"500101000000Z"), Some(ms("1950-01-01T00:00:00Z")));
        for broken in [&b""[..], b"\x30", b"\x30\x82\x01", b"\x30\x05\x02\x01", b"\x30\x80"] {
            assert!(super::facts(&broken.to_vec().into()).is_none());
        }
    }

    #[test]
    fn a_chain_has_an_order() {
        let [own, authority] = <[_; 2]>::try_from(chain()).expect("two");
        assert_eq!(verdicts(|it| order(&[own.clone(), authority.clone()], it)), ["ok"]);
        assert_eq!(verdicts(|it| order(&[authority.clone(), own.clone()], it)), ["fail"]);
        assert_eq!(verdicts(|it| order(&[own], it)), ["warn"]);
        assert_eq!(verdicts(|it| order(&[authority], it)), ["ok"]);
    }

    #[test]
    fn the_name_in_links_is_on_the_certificate() {
        let chain = chain();
        let fits = |address: &str| verdicts(|it| name(&chain[0], &address.parse().expect("an address"), it));
        assert_eq!(fits("https://ota.example.org:8443"), ["ok"]);
        assert_eq!(fits("https://other.example.org"), ["warn"]);
        assert_eq!(fits("http://other.example.org"), [""; 0]);
    }

    #[test]
    fn an_expiry_is_told_before_it_comes() {
        let now_ms = Clock::system().now_ms();
        let judged = |from_days: i64, until_days: i64| {
            let dates = (now_ms + from_days * DAY_MS, now_ms + until_days * DAY_MS);
            verdicts(|it| judge("certificate time", "it", Some(dates), it))
        };
        assert_eq!(judged(-1, 90), ["ok"]);
        assert_eq!(judged(-90, 20), ["warn"]);
        assert_eq!(judged(-90, -1), ["fail"]);
        assert_eq!(judged(1, 90), ["fail"]);
    }
}
