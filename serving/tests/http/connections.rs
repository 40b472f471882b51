use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::http::{Method, Request, header};
use axum::routing::get;
use rustls::pki_types::ServerName;
use rustls::pki_types::pem::PemObject;
use scorehouse::config::Addresses;
use scorehouse::server::{open, serve};
use scorehouse::{ServeError, ServeOptions};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tower::ServiceExt;

use crate::fixture::{Fixture, project_with};

/// A server of its own, stopped when dropped.
pub struct Running {
    pub address: SocketAddr,
    pub grpc: Option<SocketAddr>,
    pub folder: tempfile::TempDir,
    pub stop: oneshot::Sender<()>,
    pub served: JoinHandle<Result<(), ServeError>>,
}

pub async fn running(folder: tempfile::TempDir, more: &str) -> Running {
    let (told, addresses) = oneshot::channel();
    let mut options = ServeOptions::new(project_with(folder.path(), more));
    options.listen = "127.0.0.1:0".into();
    options.on_ready = Some(Box::new(move |at| told.send(at).unwrap()));
    let server = tokio::task::spawn_blocking(move || open(options).unwrap()).await.unwrap();
    let (stop, stopped) = oneshot::channel::<()>();
    let served = tokio::spawn(serve(server, async move {
        let _ = stopped.await;
    }));
    let Addresses { http: address, grpc } = addresses.await.unwrap();
    Running { address, grpc, folder, stop, served }
}

/// Asks for one thing and reads the answer to the end of the connection.
pub async fn asked<S: AsyncRead + AsyncWrite + Unpin>(mut connection: S) -> String {
    let request = "GET /healthz HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n";
    connection.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    // A TLS peer that closes without a farewell is an error to rustls; what came before counts.
    let _ = connection.read_to_end(&mut answer).await;
    String::from_utf8_lossy(&answer).into_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_that_never_finishes_its_head_is_closed() {
    let server = running(tempfile::tempdir().unwrap(), "[server]\nheader_timeout = \"1s\"\n").await;
    let mut slow = TcpStream::connect(server.address).await.unwrap();
    slow.write_all(b"GET /healthz HTTP/1.1\r\nhost: loc").await.unwrap();
    let mut silent = TcpStream::connect(server.address).await.unwrap();
    let mut rest = Vec::new();
    slow.read_to_end(&mut rest).await.unwrap();
    assert!(!rest.starts_with(b"HTTP/1.1 200"), "{}", String::from_utf8_lossy(&rest));
    assert_eq!(silent.read_to_end(&mut Vec::new()).await.unwrap(), 0, "nor one that says nothing");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_over_the_limit_waits_for_one_to_end() {
    let more = "[server]\nconnections = 1\nheader_timeout = \"1s\"\n";
    let server = running(tempfile::tempdir().unwrap(), more).await;
    let mut first = TcpStream::connect(server.address).await.unwrap();
    first.write_all(b"GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n").await.unwrap();
    let mut begin = [0; 12];
    first.read_exact(&mut begin).await.unwrap();
    assert_eq!(&begin, b"HTTP/1.1 200");
    let second = TcpStream::connect(server.address).await.unwrap();
    let answer = asked(second).await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert_eq!(
        first.read_to_end(&mut Vec::new()).await.map(|_| ()).ok(),
        Some(()),
        "the first had been closed"
    );
}

/// What makes the server speak TLS.
pub const TLS: &str = "[server]\ntls = { cert = \"cert.pem\", key = \"key.pem\" }\n";

/// A folder with a certificate for `localhost` that nobody vouches for.
pub fn certified() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    std::fs::write(folder.path().join("cert.pem"), made.cert.pem()).unwrap();
    std::fs::write(folder.path().join("key.pem"), made.signing_key.serialize_pem()).unwrap();
    folder
}

/// A client that trusts the server's certificate and offers `protocols`.
pub fn connector(server: &Running, protocols: &[&str]) -> tokio_rustls::TlsConnector {
    let mut roots = rustls::RootCertStore::empty();
    let cert =
        rustls::pki_types::CertificateDer::from_pem_file(server.folder.path().join("cert.pem")).unwrap();
    roots.add(cert).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = protocols.iter().map(|protocol| protocol.as_bytes().to_vec()).collect();
    tokio_rustls::TlsConnector::from(Arc::new(config))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_a_certificate_the_server_speaks_tls_and_nothing_else() {
    let server = running(certified(), TLS).await;
    let connector = connector(&server, &[]);
    let stream = TcpStream::connect(server.address).await.unwrap();
    let name = ServerName::try_from("localhost").unwrap();
    let answer = asked(connector.connect(name, stream).await.unwrap()).await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    let plain = asked(TcpStream::connect(server.address).await.unwrap()).await;
    assert!(!plain.contains("HTTP/1.1 200"), "{plain}");
}

#[test]
fn a_key_that_does_not_fit_its_certificate_keeps_the_server_from_starting() {
    let folder = tempfile::tempdir().unwrap();
    let made = |name: &str| {
        let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
        std::fs::write(folder.path().join(format!("{name}.cert")), made.cert.pem()).unwrap();
        std::fs::write(folder.path().join(format!("{name}.key")), made.signing_key.serialize_pem()).unwrap();
    };
    made("a");
    made("b");
    let project = project_with(folder.path(), "[server]\ntls = { cert = \"a.cert\", key = \"b.key\" }\n");
    assert!(open(ServeOptions::new(project)).is_err());
}

#[tokio::test]
async fn with_too_many_requests_under_way_the_next_is_told_to_come_back() {
    let fixture = Fixture::declaring("[limits]\nrequests = 1\n");
    let endless: Router<scorehouse::AppState> =
        Router::new().route("/endless", get(std::future::pending::<()>));
    let app = scorehouse::routes::observed(endless, &fixture.state);
    let held = tokio::spawn(app.oneshot(Request::get("/endless").body(Body::empty()).unwrap()));
    while fixture.state.metrics.in_flight().get() == 0 {
        tokio::task::yield_now().await;
    }
    let refused = fixture.get("/v1/models").await;
    assert_eq!(refused.refusal(), (429, "overloaded".into()));
    assert_eq!(refused.headers[header::RETRY_AFTER], "1");
    assert_eq!(fixture.get("/healthz").await.status, 200, "a busy server is not a dead one");
    held.abort();
    let _ = held.await;
    assert_eq!(fixture.get("/v1/models").await.status, 200, "a caller that went away gives its place back");
}

#[tokio::test]
async fn pages_of_declared_origins_may_ask_and_others_may_not() {
    let fixture = Fixture::declaring("[server]\norigins = [\"https://shop.example.com\"]\n");
    let preflight = |origin: &'static str| {
        Request::builder()
            .method(Method::OPTIONS)
            .uri("/v1/models/upsell/recommend")
            .header(header::ORIGIN, origin)
            .header(header::ACCESS_CONTROL_REQUEST_METHOD, "POST")
            .header(header::ACCESS_CONTROL_REQUEST_HEADERS, "authorization,content-type")
            .body(Body::empty())
            .unwrap()
    };
    let allowed = fixture.send(preflight("https://shop.example.com")).await;
    assert_eq!(allowed.headers[header::ACCESS_CONTROL_ALLOW_ORIGIN], "https://shop.example.com");
    let other = fixture.send(preflight("https://evil.example.com")).await;
    assert!(!other.headers.contains_key(header::ACCESS_CONTROL_ALLOW_ORIGIN));
    let request = Request::get("/healthz").header(header::ORIGIN, "https://shop.example.com");
    let answer = fixture.send(request.body(Body::empty()).unwrap()).await;
    assert_eq!(answer.headers[header::ACCESS_CONTROL_ALLOW_ORIGIN], "https://shop.example.com");
    let none = Fixture::new().send(preflight("https://shop.example.com")).await;
    assert!(!none.headers.contains_key(header::ACCESS_CONTROL_ALLOW_ORIGIN), "no origin is the default");
}
