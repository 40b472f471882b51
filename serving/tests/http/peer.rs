//! Another server, as a test plays it: a collector, an issuer, a receiver of webhooks.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};

/// One request that it got.
#[derive(Debug)]
pub struct Heard {
    pub path: String,
    pub body: Vec<u8>,
}

/// A server that answers every request alike, until it is told otherwise.
pub struct Peer {
    pub address: SocketAddr,
    pub heard: Receiver<Heard>,
    /// Status and body.
    pub answer: Arc<Mutex<(u16, String)>>,
}

impl Peer {
    /// Over plain HTTP.
    pub fn plain(status: u16, body: &str) -> Self {
        Self::start(status, body, None)
    }

    /// Over TLS, with `cert.pem` and `key.pem` of a folder.
    pub fn tls(status: u16, body: &str, folder: &Path) -> Self {
        let cert = CertificateDer::from_pem_file(folder.join("cert.pem")).unwrap();
        let key = PrivateKeyDer::from_pem_file(folder.join("key.pem")).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![cert], key)
            .unwrap();
        Self::start(status, body, Some(Arc::new(config)))
    }

    fn start(status: u16, body: &str, tls: Option<Arc<ServerConfig>>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let (address, (told, heard)) = (listener.local_addr().unwrap(), channel());
        let answer = Arc::new(Mutex::new((status, body.to_owned())));
        let given = Arc::clone(&answer);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let (stream, tls) = (stream.unwrap(), tls.clone());
                let (told, given) = (told.clone(), Arc::clone(&given));
                std::thread::spawn(move || connection(stream, tls, &told, &given));
            }
        });
        Self { address, heard, answer }
    }

    /// Answers otherwise from now on.
    pub fn say(&self, status: u16, body: &str) {
        *self.answer.lock().unwrap() = (status, body.to_owned());
    }
}

type Given = Mutex<(u16, String)>;

fn connection(stream: TcpStream, tls: Option<Arc<ServerConfig>>, told: &Sender<Heard>, given: &Given) {
    match tls {
        None => talk(stream, told, given),
        Some(config) => talk(StreamOwned::new(ServerConnection::new(config).unwrap(), stream), told, given),
    }
}

/// Answers until the client leaves.
fn talk(stream: impl Read + Write, told: &Sender<Heard>, given: &Given) {
    let mut stream = BufReader::new(stream);
    let mut first = String::new();
    while stream.read_line(&mut first).unwrap_or(0) > 0 {
        let (mut line, mut length) = (String::new(), 0);
        while stream.read_line(&mut line).unwrap_or(0) > 2 {
            if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                length = value.trim().parse().unwrap();
            }
            line.clear();
        }
        let mut body = vec![0; length];
        stream.read_exact(&mut body).unwrap();
        let path = first.split(' ').nth(1).unwrap_or_default().to_owned();
        // Whoever played this peer may have heard enough.
        let _ = told.send(Heard { path, body });
        let (status, answer) = given.lock().unwrap().clone();
        let head = format!("HTTP/1.1 {status} As Told\r\ncontent-length: {}\r\n\r\n", answer.len());
        if stream.get_mut().write_all(format!("{head}{answer}").as_bytes()).is_err() {
            return;
        }
        let _ = stream.get_mut().flush();
        first.clear();
    }
}
