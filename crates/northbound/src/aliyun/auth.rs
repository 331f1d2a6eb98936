//! Who signed a request, by which of the two signatures, and whether it may be taken (contract §1.1, §1.2, §2).
//!
//! A request is read in two steps, because the checks have an order: [`Signed::read`] finds everything that has to be there,
//! and after version and action are known [`Signed::verify`] does the rest.
//!
//! Bearer tokens and RSA key pairs are refused: both stand for a session that the vendor's own account service opens.

use axum::http::request::Parts;
use otaru_core::app::{App, Caller};

use super::error::Failure;
use super::nonces::{Nonces, Outcome};
use super::parameters::Parameters;
use crate::wire::digest::{hex_of_32, sha256};
use crate::wire::rpc_v1::{self, SignatureMethod};
use crate::wire::time::{TimeFormat, is_within};
use crate::wire::{RequestHead, SignatureError, acs3};

/// The key ids that temporary credentials have.
const TEMPORARY_PREFIX: &str = "STS.";
const TOKEN_HEADER: &str = "x-acs-security-token";

/// A request with everything that its signature scheme needs.
#[derive(Debug)]
pub struct Signed<'a> {
    pub action: &'a str,
    pub version: &'a str,
    nonce: &'a str,
    time: &'a str,
    scheme: Scheme<'a>,
}

#[derive(Debug)]
enum Scheme<'a> {
    /// Everything is a parameter, and all of them are signed.
    V1 { access_key_id: &'a str },
    /// Everything is a header.
    Acs3,
}

/// Whether the request is signed in headers. A `Signature` parameter decides for the older scheme: one client sends the
/// headers of the newer one along with it.
pub fn is_acs3(parts: &Parts, parameters: &Parameters) -> bool {
    parameters.sent("Signature").is_none()
        && (header(parts, "authorization").is_some_and(|value| value.starts_with("ACS3-"))
            || header(parts, "x-acs-bearer-token").is_some())
}

fn header<'a>(parts: &'a Parts, name: &str) -> Option<&'a str> {
    parts.headers.get(name).and_then(|value| value.to_str().ok()).map(str::trim).filter(|value| !value.is_empty())
}

impl<'a> Signed<'a> {
    /// Finds the common parameters, in the order in which the contract lists them.
    pub fn read(parts: &'a Parts, parameters: &'a Parameters) -> Result<Signed<'a>, Failure> {
        let given = |name: &str| parameters.given(name);
        let needed = |name: &str| given(name).ok_or_else(|| Failure::missing(name));
        let is_bearer = given("BearerToken").is_some() || header(parts, "x-acs-bearer-token").is_some();
        if is_bearer || given("SignatureType").is_some() {
            return Err(Failure::signature_method(
                "Bearer tokens and RSA key pairs are not supported: sign with an access key.",
            ));
        }
        if is_acs3(parts, parameters) {
            let either = |parameter: &str, name: &str| {
                given(parameter).or_else(|| header(parts, name)).ok_or_else(|| Failure::missing(parameter))
            };
            let signed = Signed {
                action: either("Action", "x-acs-action")?,
                version: either("Version", "x-acs-version")?,
                nonce: header(parts, "x-acs-signature-nonce").ok_or_else(|| Failure::missing("SignatureNonce"))?,
                time: header(parts, "x-acs-date").ok_or_else(|| Failure::missing("Timestamp"))?,
                scheme: Scheme::Acs3,
            };
            header(parts, "x-acs-content-sha256").ok_or_else(|| Failure::missing_header("x-acs-content-sha256"))?;
            return Ok(signed);
        }
        // The headers are no way to name the action here: nothing signs them.
        let (action, version) = (needed("Action")?, needed("Version")?);
        let access_key_id = needed("AccessKeyId")?;
        needed("Signature")?;
        needed("SignatureMethod")?;
        needed("SignatureVersion")?;
        let nonce = needed("SignatureNonce")?;
        let time = needed("Timestamp")?;
        Ok(Signed { action, version, nonce, time, scheme: Scheme::V1 { access_key_id } })
    }

    /// The caller, if the signature is right, within `window_ms` of our time, and not used before.
    pub async fn verify(
        &self,
        app: &App,
        nonces: &Nonces,
        window_ms: u64,
        parts: &Parts,
        body: &[u8],
        parameters: &Parameters,
    ) -> Result<Caller, Failure> {
        let head = RequestHead::new(&parts.method, &parts.uri, &parts.headers);
        let authorization = match self.scheme {
            Scheme::V1 { .. } => {
                SignatureMethod::parse(parameters.given("SignatureMethod").unwrap_or_default())?;
                if parameters.given("SignatureVersion") != Some("1.0") {
                    return Err(Failure::signature_version());
                }
                None
            }
            Scheme::Acs3 => Some(acs3::Authorization::of(&parts.headers)?),
        };
        let (access_key_id, token) = match (&self.scheme, &authorization) {
            (Scheme::V1 { access_key_id }, _) => (*access_key_id, parameters.given("SecurityToken")),
            (Scheme::Acs3, Some(authorization)) => {
                (authorization.access_key_id, header(parts, TOKEN_HEADER).or_else(|| parameters.given("SecurityToken")))
            }
            (Scheme::Acs3, None) => return Err(SignatureError::Missing.into()),
        };

        let now_ms = app.now_ms();
        let signed_ms = TimeFormat::Seconds.parse(self.time).ok_or_else(Failure::time_format)?;
        if !is_within(now_ms, signed_ms, window_ms) {
            return Err(Failure::time_expired());
        }

        let credential = match token {
            Some(token) => app.temporary_credential(access_key_id, token).await.map_err(|error| {
                match app.temporary_key_of(token) {
                    Some(owner) if owner != access_key_id => Failure::token_of_another_key(),
                    _ => error.into(),
                }
            })?,
            None if access_key_id.starts_with(TEMPORARY_PREFIX) => return Err(Failure::missing_token()),
            None => app.credential(access_key_id).await?,
        };
        let secret = credential.secret.expose();
        match &authorization {
            None => rpc_v1::verify(head.method, parameters.pairs(), secret)?,
            Some(authorization) => authorization.verify(&head, body, secret).map_err(|error| match error {
                SignatureError::Mismatch { string_to_sign } => Failure::signature_does_not_match(&string_to_sign),
                other => {
                    let string_to_sign = authorization.string_to_sign(&head).unwrap_or_default();
                    Failure::incomplete_signature(other, &string_to_sign)
                }
            })?,
        }

        // The signature stays valid until its time is out of the window, so the nonce is remembered for that long.
        let until_ms = signed_ms.saturating_add_unsigned(window_ms);
        // Nonces have no agreed length; their digest has.
        let nonce = sha256(self.nonce.as_bytes());
        match nonces.take(access_key_id, &nonce, until_ms, now_ms) {
            Outcome::New => {}
            Outcome::Used => return Err(Failure::nonce_used()),
            Outcome::TooMany => return Err(Failure::throttled(1_000)),
        }
        let stored = String::from_utf8_lossy(&hex_of_32(&nonce)).into_owned();
        Ok(credential.caller.once(stored, until_ms.saturating_add(1_000)))
    }
}
