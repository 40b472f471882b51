//! What a request brings to prove who it is.

use axum::http::{HeaderMap, HeaderName, header};

use super::key;
use crate::error::ServeError;

const API_KEY: HeaderName = HeaderName::from_static("x-api-key");
/// Longest credential that is looked at.
const LONGEST: usize = 8 * 1024;

/// A credential by its form.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Credential<'a> {
    /// An API key: id and secret.
    Key(&'a str, &'a str),
    /// A JSON Web Token.
    Token(&'a str),
}

/// The credential in `Authorization: Bearer …` or `X-Api-Key: …`; none when neither is there.
///
/// # Errors
/// [`ServeError::Unauthorized`] for a header that holds neither a key nor a token.
pub fn credential(headers: &HeaderMap) -> Result<Option<Credential<'_>>, ServeError> {
    let refuse = |reason| Err(ServeError::Unauthorized { reason });
    let Some(given) = headers.get(header::AUTHORIZATION).or_else(|| headers.get(API_KEY)) else {
        return Ok(None);
    };
    if given.len() > LONGEST {
        return refuse("the credential is too long");
    }
    let Ok(text) = given.to_str() else { return refuse("the credential is not printable ASCII") };
    let text = match text.split_once(' ') {
        Some((scheme, rest)) if scheme.eq_ignore_ascii_case("bearer") => rest.trim(),
        Some(_) => return refuse("only the Bearer scheme is known"),
        None => text,
    };
    if let Some((id, secret)) = key::parts(text) {
        return Ok(Some(Credential::Key(id, secret)));
    }
    if text.bytes().filter(|byte| *byte == b'.').count() == 2 {
        return Ok(Some(Credential::Token(text)));
    }
    refuse("the credential is neither an API key nor a token")
}

/// True for a request that did not come through a proxy and whose `Host`, if it has one, is this machine: a
/// page elsewhere whose name was pointed here (DNS rebinding) is not local, and what a proxy passes on need
/// not be.
pub fn is_local(headers: &HeaderMap) -> bool {
    let through_proxy =
        ["forwarded", "x-forwarded-for", "x-real-ip", "via"].iter().any(|name| headers.contains_key(*name));
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok());
    !through_proxy && (!headers.contains_key(header::HOST) || host.is_some_and(names_this_machine))
}

fn names_this_machine(host: &str) -> bool {
    let bare = match host.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => host.rsplit_once(':').map_or(host, |(name, _)| name),
    };
    bare.eq_ignore_ascii_case("localhost") || bare.parse().is_ok_and(|ip: std::net::IpAddr| ip.is_loopback())
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        pairs
            .iter()
            .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)))
            .collect()
    }

    const KEY: &str = "sh_abcdefgh_abcdefghijkmnpqrstuvwxyz23456789";

    #[test]
    fn a_key_is_taken_from_either_header_and_any_case_of_bearer() {
        let spelled = [
            "Bearer sh_abcdefgh_abcdefghijkmnpqrstuvwxyz23456789",
            "bearer  sh_abcdefgh_abcdefghijkmnpqrstuvwxyz23456789",
        ];
        for value in spelled {
            let headers = headers(&[("authorization", value)]);
            assert!(matches!(credential(&headers), Ok(Some(Credential::Key("abcdefgh", _)))), "{value}");
        }
        assert!(matches!(credential(&headers(&[("x-api-key", KEY)])), Ok(Some(Credential::Key(..)))));
        assert!(matches!(credential(&headers(&[])), Ok(None)));
    }

    #[test]
    fn other_schemes_and_other_texts_are_refused() {
        for value in ["Basic YTpi", "Bearer", "Bearer ", "Bearer nonsense", "Bearer a.b", "sh_short_key"] {
            let headers = headers(&[("authorization", value)]);
            assert!(matches!(credential(&headers), Err(ServeError::Unauthorized { .. })), "{value}");
        }
        assert!(matches!(
            credential(&headers(&[("authorization", "Bearer a.b.c")])),
            Ok(Some(Credential::Token("a.b.c")))
        ));
    }

    #[test]
    fn only_this_machine_is_local() {
        for host in ["localhost", "LOCALHOST:8080", "127.0.0.1:8080", "127.1.2.3", "[::1]:8080", "[::1]"] {
            assert!(names_this_machine(host), "{host}");
        }
        for host in [
            "example.com",
            "localhost.example.com:8080",
            "10.0.0.1",
            "",
            "[2001:db8::1]:80",
            "127.0.0.1.evil",
        ] {
            assert!(!names_this_machine(host), "{host}");
        }
        assert!(is_local(&headers(&[])));
        assert!(!is_local(&headers(&[("host", "localhost"), ("x-forwarded-for", "10.0.0.7")])));
    }
}
