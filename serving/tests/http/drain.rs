use scorehouse::ServeOptions;
use scorehouse::server::{open, serve};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::oneshot;

use crate::fixture::project;

/// A request that has begun, but for the last byte of its body.
async fn begun(address: std::net::SocketAddr) -> TcpStream {
    let mut connection = TcpStream::connect(address).await.unwrap();
    let body = r#"{"account_id": "A-1", "amount": 1.0}"#;
    let head = format!(
        "POST /v1/events/orders HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n\
         content-length: {}\r\nexpect: 100-continue\r\n\r\n",
        body.len()
    );
    connection.write_all(head.as_bytes()).await.unwrap();
    // The server asks for the body once its handler reads: from then on the request is under way.
    let mut go_on = [0; 25];
    connection.read_exact(&mut go_on).await.unwrap();
    assert!(go_on.starts_with(b"HTTP/1.1 100"), "{}", String::from_utf8_lossy(&go_on));
    connection.write_all(&body.as_bytes()[..body.len() - 1]).await.unwrap();
    connection
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stop_lets_the_request_under_way_finish_and_takes_no_new_ones() {
    let folder = tempfile::tempdir().unwrap();
    let (told, address) = oneshot::channel();
    let mut options = ServeOptions::new(project(folder.path()));
    options.listen = "127.0.0.1:0".into();
    options.on_ready = Some(Box::new(move |at| told.send(at.http).unwrap()));
    let server = tokio::task::spawn_blocking(move || open(options).unwrap()).await.unwrap();
    let (stop, stopped) = oneshot::channel::<()>();
    let serving = tokio::spawn(serve(server, async move {
        let _ = stopped.await;
    }));
    let address = address.await.unwrap();
    let mut under_way = begun(address).await;
    stop.send(()).unwrap();
    // Until the listener is gone a connection may still be taken; then none is.
    while TcpStream::connect(address).await.is_ok() {
        tokio::task::yield_now().await;
    }
    under_way.write_all(b"}").await.unwrap();
    let mut answer = String::new();
    under_way.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert!(answer.contains(r#""accepted":1"#), "{answer}");
    serving.await.unwrap().unwrap();
}
