use axum::http::Request;
use bytes::Bytes;
use h2::SendStream;
use h2::client::{ResponseFuture, SendRequest};
use prost::Message;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;

use crate::connections::{TLS, certified, connector, running};
use crate::grpc_wire::{IndexRequest, Ready, framed, path};

/// The server with a second port, and what else the project says of it.
fn with_grpc(server: &str) -> String {
    let (head, rest) = if server.is_empty() { ("[server]\n", "") } else { server.split_at(9) };
    format!("{head}grpc = \"127.0.0.1:0\"\n{rest}")
}

/// A client, and its connection, which ends when the server wants it to.
struct Client {
    ask: SendRequest<Bytes>,
    connection: JoinHandle<Result<(), h2::Error>>,
}

async fn client<S: AsyncRead + AsyncWrite + Unpin + Send + 'static>(stream: S) -> Client {
    let (ask, connection) = h2::client::handshake(stream).await.unwrap();
    Client { ask, connection: tokio::spawn(connection) }
}

impl Client {
    /// Begins a call: its head only.
    async fn begin(&mut self, method: &str) -> (ResponseFuture, SendStream<Bytes>) {
        let mut ask = self.ask.clone().ready().await.unwrap();
        let request = Request::post(format!("http://localhost{}", path(method)))
            .header("content-type", "application/grpc")
            .header("te", "trailers");
        ask.send_request(request.body(()).unwrap(), false).unwrap()
    }

    /// Calls a method to its end; the status.
    async fn call(&mut self, method: &str, message: &impl Message) -> String {
        let (answer, mut body) = self.begin(method).await;
        body.send_data(framed(&message.encode_to_vec()).into(), true).unwrap();
        status(answer).await
    }
}

/// The server closed the connection, or said beforehand that it would (GOAWAY) and why: for no fault.
fn in_good_order(ended: Result<(), h2::Error>) {
    if let Err(error) = ended {
        assert_eq!(error.reason(), Some(h2::Reason::NO_ERROR), "{error}");
    }
}

/// The status that ends an answer.
async fn status(answer: ResponseFuture) -> String {
    let (head, mut body) = answer.await.unwrap().into_parts();
    if let Some(status) = head.headers.get("grpc-status") {
        return status.to_str().unwrap().to_owned();
    }
    while let Some(data) = body.data().await {
        body.flow_control().release_capacity(data.unwrap().len()).unwrap();
    }
    body.trailers().await.unwrap().unwrap()["grpc-status"].to_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_calls_share_a_connection_and_http_1_is_not_spoken_there() {
    let server = running(tempfile::tempdir().unwrap(), &with_grpc("")).await;
    let mut client = client(TcpStream::connect(server.grpc.unwrap()).await.unwrap()).await;
    assert_eq!(client.call("ServerLive", &Ready::default()).await, "0");
    assert_eq!(
        client.call("RepositoryIndex", &IndexRequest::default()).await,
        "0",
        "open to its own machine"
    );
    assert_eq!(client.call("Nothing", &Ready::default()).await, "12");
    let answer = crate::connections::asked(TcpStream::connect(server.grpc.unwrap()).await.unwrap()).await;
    assert!(!answer.contains("HTTP/1.1 200"), "{answer}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_brings_nothing_is_sent_away_and_who_does_not_answer_is_dropped() {
    let more = with_grpc("[server]\nheader_timeout = \"1s\"\n");
    let server = running(tempfile::tempdir().unwrap(), &more).await;
    let mut silent = TcpStream::connect(server.grpc.unwrap()).await.unwrap();
    let mut idle = client(TcpStream::connect(server.grpc.unwrap()).await.unwrap()).await;
    assert_eq!(idle.call("ServerLive", &Ready::default()).await, "0");
    in_good_order(idle.connection.await.unwrap());
    // Without the client's preface the server says what it wants to (its settings), and no more.
    silent.read_to_end(&mut Vec::new()).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stop_lets_the_call_under_way_finish_and_takes_no_new_ones() {
    let server = running(tempfile::tempdir().unwrap(), &with_grpc("")).await;
    let grpc = server.grpc.unwrap();
    let mut client = client(TcpStream::connect(grpc).await.unwrap()).await;
    assert_eq!(client.call("ServerLive", &Ready::default()).await, "0");
    let frame = framed(&IndexRequest { ready: true }.encode_to_vec());
    let (answer, mut body) = client.begin("RepositoryIndex").await;
    body.send_data(Bytes::copy_from_slice(&frame[..3]), false).unwrap();
    // The server has the call once it has answered a later one.
    assert_eq!(client.call("ServerLive", &Ready::default()).await, "0");
    server.stop.send(()).unwrap();
    while TcpStream::connect(grpc).await.is_ok() {
        tokio::task::yield_now().await;
    }
    body.send_data(Bytes::copy_from_slice(&frame[3..]), true).unwrap();
    assert_eq!(status(answer).await, "0");
    drop(client.ask);
    in_good_order(client.connection.await.unwrap());
    server.served.await.unwrap().unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stop_waits_for_who_takes_an_answer_slowly() {
    let server = running(tempfile::tempdir().unwrap(), &with_grpc("")).await;
    let stream = TcpStream::connect(server.grpc.unwrap()).await.unwrap();
    let few_bytes = h2::client::Builder::new().initial_window_size(8).handshake(stream).await.unwrap();
    let mut client = Client { ask: few_bytes.0, connection: tokio::spawn(few_bytes.1) };
    let (answer, mut body) = client.begin("ServerMetadata").await;
    body.send_data(framed(&Ready::default().encode_to_vec()).into(), true).unwrap();
    let mut answer = answer.await.unwrap().into_body();
    server.stop.send(()).unwrap();
    // Longer than a connection without calls is kept after the stop.
    tokio::time::sleep(std::time::Duration::from_millis(2500)).await;
    let mut length = 0;
    while let Some(data) = answer.data().await {
        let data = data.unwrap();
        length += data.len();
        answer.flow_control().release_capacity(data.len()).unwrap();
    }
    assert!(length > 8, "{length}");
    assert_eq!(answer.trailers().await.unwrap().unwrap()["grpc-status"], "0");
    drop(client.ask);
    in_good_order(client.connection.await.unwrap());
    server.served.await.unwrap().unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_a_certificate_both_ports_speak_tls_each_its_own_protocol() {
    let server = running(certified(), &with_grpc(TLS)).await;
    let grpc = server.grpc.unwrap();
    let name = || ServerName::try_from("localhost").unwrap();
    let stream = TcpStream::connect(grpc).await.unwrap();
    let stream = connector(&server, &["h2"]).connect(name(), stream).await.unwrap();
    assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
    assert_eq!(client(stream).await.call("ServerLive", &Ready::default()).await, "0");
    for (port, other) in [(grpc, "http/1.1"), (server.address, "h2")] {
        let stream = TcpStream::connect(port).await.unwrap();
        assert!(connector(&server, &[other]).connect(name(), stream).await.is_err(), "{other}");
    }
}
