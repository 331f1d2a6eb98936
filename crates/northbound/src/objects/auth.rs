//! Whose request it is: the three kinds of signatures, in the header or in the URL, and temporary keys.

use http::header::AUTHORIZATION;
use http::request::Parts;
use otaru_core::app::{App, Credential};
use s3s::{S3Error, S3ErrorCode, S3Result};

use crate::wire::aws_v2::{self, ResignError};
use crate::wire::aws_v4::{AwsV4Signature, ChunkSigner};
use crate::wire::key_signature::KeySignature;
use crate::wire::time::is_within;
use crate::wire::{RequestHead, SignatureError, obs};

use super::error::{refusal, signature, signing_in};
use super::{Settings, error, limits};

/// In whose words a client speaks and wants its answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    S3,
    Obs,
}

impl Dialect {
    /// By the signature: that of OBS, in the header or in the URL, or any other.
    pub fn of(parts: &Parts) -> Dialect {
        let in_header = parts.headers.get(AUTHORIZATION).is_some_and(|value| value.as_bytes().starts_with(b"OBS "));
        let query = parts.uri.query().unwrap_or_default();
        let in_url = form_urlencoded::parse(query.as_bytes()).any(|(name, _)| name == "AccessKeyId");
        if in_header || in_url { Dialect::Obs } else { Dialect::S3 }
    }
}

/// A request whose signature is right.
pub struct Signed {
    pub credential: Credential,
    /// What signs the chunks of its body.
    pub chunks: Option<ChunkSigner>,
}

/// Until when a request is good.
enum Good {
    /// Around the moment it was signed at.
    Around(i64),
    /// Until a moment that was signed.
    Until(i64),
}

/// What a request is checked against.
pub struct Check<'a> {
    pub app: &'a App,
    pub settings: &'a Settings,
    pub virtual_bucket: Option<&'a str>,
    pub request_id: &'a str,
}

impl Check<'_> {
    /// Finds out who signed the request, checks the signature and its time, and signs the request again as the S3 service
    /// knows it.
    pub async fn signer(&self, parts: &mut Parts) -> S3Result<Signed> {
        let head = RequestHead::new(&parts.method, &parts.uri, &parts.headers);
        one_signature_only(&head)?;
        if let Some(found) = obs::find(&head).map_err(|error| signature(&error))? {
            return self.obs(parts, found.into_owned()).await;
        }
        if let Some(found) = aws_v2::find(&head).map_err(|error| signature(&error))? {
            return self.aws_v2(parts, found.into_owned()).await;
        }
        if let Some(found) = AwsV4Signature::of(&head).map_err(|error| signature(&error))? {
            return self.aws_v4(parts, found).await;
        }
        Err(refusal(S3ErrorCode::AccessDenied, "The request is not signed in a way that this server knows."))
    }

    async fn obs(&self, parts: &mut Parts, found: KeySignature<'static>) -> S3Result<Signed> {
        let head = RequestHead::new(&parts.method, &parts.uri, &parts.headers);
        let good = match found.expires_at_ms().map_err(|error| signature(&error))? {
            Some(at_ms) => Good::Until(at_ms),
            None => Good::Around(obs::signed_at_ms(&head).map_err(|error| signature(&error))?),
        };
        self.in_time(&good)?;
        let credential = self.credential(&head, &found.access_key_id).await?;
        let verdict = obs::verify(&found, &head, self.virtual_bucket, credential.secret.expose());
        verdict.map_err(|error| signature(&error))?;
        let (secret, now_ms) = (credential.secret.expose(), self.app.now_ms());
        aws_v2::resign(parts, self.virtual_bucket, &found.access_key_id, secret, now_ms).map_err(unfit)?;
        Ok(Signed { credential, chunks: None })
    }

    async fn aws_v2(&self, parts: &mut Parts, found: KeySignature<'static>) -> S3Result<Signed> {
        let head = &RequestHead::new(&parts.method, &parts.uri, &parts.headers);
        let good = match found.expires_at_ms().map_err(|error| signature(&error))? {
            Some(at_ms) => Good::Until(at_ms),
            None => Good::Around(aws_v2::signed_at_ms(head).map_err(|error| signature(&error))?),
        };
        self.in_time(&good)?;
        let credential = self.credential(head, &found.access_key_id).await?;
        let secret = credential.secret.expose();
        let verify = |head: &RequestHead<'_>| aws_v2::verify(&found, head, self.virtual_bucket, secret);
        if let Err(error) = verify(head) {
            // Python's client sends `/bucket` and signs `/bucket/`, which is what it would be by host name.
            let is_bucket = self.virtual_bucket.is_none() && head.path.len() > 1 && !head.path[1..].contains('/');
            let path = format!("{}/", head.path);
            if !is_bucket || verify(&RequestHead { path: &path, ..*head }).is_err() {
                return Err(signature(&error));
            }
        }
        self.hand_on(parts, &credential, &found.access_key_id)?;
        Ok(Signed { credential, chunks: None })
    }

    async fn aws_v4(&self, parts: &mut Parts, found: AwsV4Signature) -> S3Result<Signed> {
        let head = RequestHead::new(&parts.method, &parts.uri, &parts.headers);
        found.check_headers(&head).map_err(|error| signature(&error))?;
        let signed_at_ms = found.signed_at_ms(&head).map_err(|error| signature(&error))?;
        match found.expires() {
            Some(expires) => {
                if self.is_ahead(signed_at_ms) {
                    self.in_time(&Good::Around(signed_at_ms))?;
                }
                self.in_time(&Good::Until(signed_at_ms.saturating_add(lifetime_ms(expires)?)))?;
            }
            None => self.in_time(&Good::Around(signed_at_ms))?,
        }
        let credential = self.credential(&head, &found.access_key_id).await?;
        let chunks = found.verify(&head, credential.secret.expose()).map_err(|error| signature(&error))?;
        self.hand_on(parts, &credential, &found.access_key_id)?;
        Ok(Signed { credential, chunks: Some(chunks) })
    }

    /// Signs a verified request again for the S3 service. So it has one kind of signature to know, always in the header, and
    /// neither the time nor the body is its business.
    fn hand_on(&self, parts: &mut Parts, credential: &Credential, key_id: &str) -> S3Result<()> {
        let (secret, now_ms) = (credential.secret.expose(), self.app.now_ms());
        aws_v2::sign_again(parts, self.virtual_bucket, key_id, secret, now_ms).map_err(unfit)
    }

    fn is_ahead(&self, signed_at_ms: i64) -> bool {
        signed_at_ms > self.app.now_ms()
    }

    fn in_time(&self, good: &Good) -> S3Result<()> {
        let now_ms = self.app.now_ms();
        match *good {
            Good::Around(at_ms) if is_within(now_ms, at_ms, self.settings.clock_skew_ms) => Ok(()),
            Good::Around(_) => Err(refusal(
                S3ErrorCode::RequestTimeTooSkewed,
                format!(
                    "The request was signed more than {} s from the server's time, which is {}.",
                    self.settings.clock_skew_ms / 1000,
                    crate::wire::time::TimeFormat::Http.format(now_ms)
                ),
            )),
            Good::Until(at_ms) if now_ms <= at_ms => Ok(()),
            Good::Until(_) => Err(refusal(S3ErrorCode::AccessDenied, "Request has expired.")),
        }
    }

    async fn credential(&self, head: &RequestHead<'_>, key_id: &str) -> S3Result<Credential> {
        let found = match security_token(head)? {
            Some(token) => self.app.temporary_credential(key_id, &token).await,
            None => self.app.credential(key_id).await,
        };
        found.map_err(|error| signing_in(error, self.request_id))
    }
}

/// How long a link is good for.
fn lifetime_ms(expires: &str) -> S3Result<i64> {
    match (limits::problem("presigned.expires", expires), expires.parse::<i64>()) {
        (None, Ok(seconds)) => Ok(seconds * 1000),
        (problem, _) => {
            let text = format!("The seconds in X-Amz-Expires {}.", problem.unwrap_or_default());
            Err(refusal(S3ErrorCode::InvalidArgument, text))
        }
    }
}

fn unfit(error: ResignError) -> S3Error {
    refusal(S3ErrorCode::InvalidArgument, format!("{error}."))
}

/// A request signed twice could be checked by one signature and carried out by what the other covers.
fn one_signature_only(head: &RequestHead<'_>) -> Result<(), S3Error> {
    let in_query = |wanted: &[&str]| {
        form_urlencoded::parse(head.query.as_bytes()).filter(|(name, _)| wanted.contains(&name.as_ref())).count()
    };
    let in_header = head.headers.get_all("authorization").iter().count();
    let links =
        in_query(&["AccessKeyId", "AWSAccessKeyId"]).max(in_query(&["Signature"])) + in_query(&["X-Amz-Signature"]);
    if in_header + links <= 1 {
        return Ok(());
    }
    Err(error::signature(&SignatureError::Malformed("a request is signed once, in the header or in the URL")))
}

/// The token of a temporary key, from the header or the URL.
fn security_token(head: &RequestHead<'_>) -> S3Result<Option<String>> {
    let names = ["x-amz-security-token", "x-obs-security-token"];
    let in_headers = names.iter().flat_map(|name| head.headers.get_all(*name)).map(|value| {
        value
            .to_str()
            .map(str::to_owned)
            .map_err(|_| refusal(S3ErrorCode::InvalidToken, "The security token is no text."))
    });
    let in_query = form_urlencoded::parse(head.query.as_bytes())
        .filter(|(name, _)| names.iter().any(|wanted| name.eq_ignore_ascii_case(wanted)))
        .map(|(_, value)| Ok(value.into_owned()));
    let tokens = in_headers.chain(in_query).collect::<S3Result<Vec<_>>>()?;
    match tokens.as_slice() {
        [] => Ok(None),
        [token, rest @ ..] if rest.iter().all(|other| other == token) => Ok(Some(token.clone())),
        _ => Err(refusal(S3ErrorCode::InvalidToken, "The request carries two security tokens.")),
    }
}
