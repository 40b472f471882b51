//! What an acknowledged push changed is told, whatever happens to the server.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use scorehouse_tests::{Server, get, post, run_ok};
use serde_json::{Value, json};

/// Edges so close that nearly every move of a score crosses one.
const BANDS: usize = 200;

fn shop(folder: &Path, url: &str) -> std::path::PathBuf {
    run_ok(folder, &["init", "shop"]).unwrap();
    let shop = folder.join("shop");
    run_ok(&shop, &["ingest", "--quiet"]).unwrap();
    run_ok(&shop, &["train", "--quiet"]).unwrap();
    let edges: Vec<String> = (1..BANDS).map(|edge| format!("{}", edge as f64 / BANDS as f64)).collect();
    let file = shop.join("scorehouse.toml");
    let more = format!(
        "\n[model.churn.watch]\nbands = [{}]\n[webhook.crm]\nurl = \"{url}\"\nsecret = \"CRM_SECRET\"\n",
        edges.join(", ")
    );
    fs::write(&file, fs::read_to_string(&file).unwrap() + &more).unwrap();
    shop
}

fn band(probability: f64) -> usize {
    (1..BANDS).filter(|edge| *edge as f64 / BANDS as f64 <= probability).count()
}

fn bands(server: &Server, keys: &[String]) -> BTreeMap<String, usize> {
    let answer = post(&server.url("/v1/models/churn/score"), &json!({ "entities": keys })).unwrap();
    assert_eq!(answer.status, 200, "{}", answer.text);
    let json = answer.json().unwrap();
    let band_of =
        |(key, score): (&String, &Value)| (key.clone(), band(score["probability"].as_f64().unwrap()));
    keys.iter().zip(json["scores"].as_array().unwrap()).map(band_of).collect()
}

/// Deliveries heard: by the number of the change, its body.
type Heard = Arc<Mutex<BTreeMap<String, Value>>>;

/// One request of a webhook, answered with success; none when the connection has ended.
fn hear(reader: &mut BufReader<TcpStream>, heard: &Heard) -> Option<()> {
    let (mut length, mut delivery, mut signature) = (0, String::new(), String::new());
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).ok()? == 0 {
            return None;
        }
        if line.trim().is_empty() {
            break;
        }
        let (name, value) = line.split_once(':').unwrap_or((&line, ""));
        match name.to_ascii_lowercase().as_str() {
            "content-length" => length = value.trim().parse().unwrap(),
            "x-scorehouse-delivery" => delivery = value.trim().to_owned(),
            "x-scorehouse-signature" => signature = value.trim().to_owned(),
            _ => {}
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    assert!(signature.starts_with("t=") && signature.len() > 70, "{signature}");
    heard.lock().unwrap().insert(delivery, serde_json::from_slice(&body).unwrap());
    reader.get_mut().write_all(b"HTTP/1.1 204 No Content\r\ncontent-length: 0\r\n\r\n").ok()
}

fn receive(listener: TcpListener) -> Heard {
    let heard: Heard = Arc::default();
    let to = heard.clone();
    thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let to = to.clone();
            thread::spawn(move || {
                let mut reader = BufReader::new(stream);
                while hear(&mut reader, &to).is_some() {}
            });
        }
    });
    heard
}

#[test]
fn changes_of_an_acknowledged_push_are_delivered_although_the_server_was_killed() {
    let folder = tempfile::tempdir().unwrap();
    // Whoever knocks before the receiver hears waits at the door.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let shop = shop(folder.path(), &format!("http://{}/hook", listener.local_addr().unwrap()));
    let secret = [("CRM_SECRET", "not for the log")];
    let keys: Vec<String> = (0..60).map(|number| format!("C{number:03}")).collect();

    let server = Server::start_with(&shop, &secret).unwrap();
    let before = bands(&server, &keys);
    let order = |key: &String| json!({"customer_id": key, "quantity": 3, "unit_price": 1.1, "country": "DE"});
    let rows: Vec<Value> = keys.iter().map(order).collect();
    assert_eq!(post(&server.url("/v1/events/orders"), &json!(rows)).unwrap().status, 200);
    server.kill().unwrap();

    let heard = receive(listener);
    let server = Server::start_with(&shop, &secret).unwrap();
    let after = bands(&server, &keys);
    let moved: Vec<&String> = keys.iter().filter(|key| before[*key] != after[*key]).collect();
    assert!(moved.len() > 5, "an order moves the scores of customers: {before:?} {after:?}");
    let told =
        || heard.lock().unwrap().values().map(|change| change["key"].as_str().unwrap().to_owned()).collect();
    let mut of_moved: Vec<String> = Vec::new();
    for _ in 0..600 {
        of_moved = told();
        if of_moved.len() >= moved.len() {
            break;
        }
        thread::sleep(Duration::from_millis(20));
    }
    of_moved.sort();
    assert_eq!(of_moved.iter().collect::<Vec<_>>(), moved, "every change is told, and nothing else");
    let change = heard.lock().unwrap().values().next().unwrap().clone();
    let key = change["key"].as_str().unwrap();
    assert_eq!(
        (&change["before"]["band"], &change["after"]["band"]),
        (&json!(before[key]), &json!(after[key]))
    );
    let left = || get(&server.url("/v1/deliveries")).unwrap().json().unwrap()["deliveries"].clone();
    let emptied = (0..200).any(|_| {
        thread::sleep(Duration::from_millis(20));
        left() == json!([])
    });
    assert!(emptied, "{}", left());
    assert!(!server.said().contains("not for the log"));
    server.kill().unwrap();
    let listed = run_ok(&shop, &["webhooks", "list"]).unwrap();
    assert!(listed.out.contains("everything is delivered"), "{}", listed.out);
}
