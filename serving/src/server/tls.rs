//! Certificate and key of the project, as rustls wants them.

use std::path::Path;
use std::sync::Arc;

use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use scorehouse_features::definition::Tls;
use tokio_rustls::TlsAcceptor;

use super::listen::Protocol;
use crate::error::ServeError;

/// Reads certificate and key. TLS 1.2 and 1.3; clients are told by ALPN what is spoken.
///
/// # Errors
/// [`ServeError::Unavailable`] when a file cannot be read, or the two do not belong together.
pub fn acceptor(files: &Tls, protocol: Protocol) -> Result<TlsAcceptor, ServeError> {
    let chain = CertificateDer::pem_file_iter(&files.cert)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|error| unfit(&files.cert, &error))?;
    // The key's own file is named, never what stands in it.
    let key = PrivateKeyDer::from_pem_file(&files.key).map_err(|error| unfit(&files.key, &error))?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| unfit(&files.cert, &error))?
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .map_err(|error| unfit(&files.cert, &error))?;
    config.alpn_protocols = vec![match protocol {
        Protocol::Http1 => b"http/1.1".to_vec(),
        Protocol::Http2 => b"h2".to_vec(),
    }];
    Ok(TlsAcceptor::from(Arc::new(config)))
}

fn unfit(path: &Path, error: &dyn std::fmt::Display) -> ServeError {
    ServeError::Unavailable { what: "TLS", reason: format!("{}: {error}", path.display()) }
}
