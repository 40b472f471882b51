//! Requests that the server itself makes: to webhooks, to a collector of traces, to an issuer of tokens.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use ureq::tls::{Certificate, PemItem, RootCerts, TlsConfig, parse_pem};

/// A client for `url`: no redirects, a failure's status is an answer, `timeout` for all of a request. Over https it trusts
/// the authorities in the PEM file `ca`; without one, those of the machine (`SSL_CERT_FILE` names others).
///
/// # Errors
/// Why there is nobody to trust.
pub fn agent(url: &str, ca: Option<&Path>, timeout: Duration) -> Result<ureq::Agent, String> {
    let mut config = ureq::Agent::config_builder()
        .timeout_global(Some(timeout))
        .max_redirects(0)
        .max_redirects_will_error(false)
        .http_status_as_error(false)
        .user_agent(concat!("scorehouse/", env!("CARGO_PKG_VERSION")));
    if url.starts_with("https:") {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let tls = TlsConfig::builder()
            .root_certs(RootCerts::new_with_certs(&roots(ca)?))
            .unversioned_rustls_crypto_provider(provider);
        config = config.tls_config(tls.build());
    }
    Ok(config.build().into())
}

fn roots(ca: Option<&Path>) -> Result<Vec<Certificate<'static>>, String> {
    let roots: Vec<Certificate<'static>> = match ca {
        Some(path) => {
            let pem = std::fs::read(path).map_err(|error| format!("{}: {error}", path.display()))?;
            let certificate = |item| match item {
                PemItem::Certificate(certificate) => Some(certificate),
                _ => None,
            };
            parse_pem(&pem).filter_map(Result::ok).filter_map(certificate).collect()
        }
        None => {
            let found = rustls_native_certs::load_native_certs();
            found.certs.iter().map(|der| Certificate::from_der(der).to_owned()).collect()
        }
    };
    if roots.is_empty() {
        return Err("no certificate authority is known to this machine; name one with `ca`".into());
    }
    Ok(roots)
}
