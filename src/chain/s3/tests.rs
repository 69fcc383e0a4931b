//! The store against a server of a few lines over a real socket, which answers as scripted. `tests/it` has
//! the same store against a real S3 server.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::Mutex;

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::*;
use crate::chain::{Chain, Commit};
use crate::crypto::Random;
use crate::host::real;

/// What the scripted server does with one request.
#[derive(Clone, Copy, Debug)]
enum Act {
    /// Answers with a status and a body.
    Answer(u16, &'static str),
    /// Closes the connection after it read the request.
    HangUp,
}

/// A server that answers requests as scripted, the last act again and again, and keeps what was asked.
struct Script {
    address: SocketAddr,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Script {
    async fn serve(host: &Host, acts: &[Act]) -> Self {
        let listener = host.net.listen("127.0.0.1:0".parse().unwrap()).await.unwrap();
        let address = listener.local_addr().unwrap();
        let asked = Arc::<Mutex<Vec<String>>>::default();
        let (log, mut acts) = (Arc::clone(&asked), VecDeque::from(acts.to_vec()));
        let serve = async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let mut next = || if acts.len() > 1 { acts.pop_front() } else { acts.front().copied() };
                while let Some(request) = read_request(&mut stream).await {
                    log.lock().unwrap().push(request);
                    let Some(Act::Answer(status, body)) = next() else { break };
                    let head =
                        format!("HTTP/1.1 {status} X\r\ncontent-length: {}\r\netag: \"x\"\r\n\r\n{body}", body.len());
                    stream.write_all(head.as_bytes()).await.unwrap();
                }
            }
        };
        drop(host.tasks.spawn("script", Box::pin(serve)));
        Self { address, asked }
    }

    fn asked(&self) -> usize {
        self.asked.lock().unwrap().len()
    }
}

/// The first line of a request, once all of it has come.
async fn read_request(stream: &mut Box<dyn crate::host::Stream>) -> Option<String> {
    let mut bytes = Vec::new();
    while !bytes.ends_with(b"\r\n\r\n") {
        bytes.push(stream.read_u8().await.ok()?);
    }
    let head = String::from_utf8(bytes).unwrap().to_ascii_lowercase();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")?.trim().parse().ok()).unwrap_or(0);
    stream.read_exact(&mut vec![0; length]).await.ok()?;
    head.lines().next().map(str::to_owned)
}

fn host() -> Host {
    real::host(Arc::new(Random::new()), 1).unwrap()
}

fn settings(endpoint: &str, url: &str) -> S3Settings {
    let pairs = [
        ("AWS_ENDPOINT_URL", endpoint),
        ("AWS_ACCESS_KEY_ID", "key"),
        ("AWS_SECRET_ACCESS_KEY", "secret-key"),
        ("AWS_REGION", "us-east-1"),
    ];
    S3Settings::new(url, &pairs.map(|(n, v)| (n.to_owned(), v.to_owned())).into()).unwrap()
}

async fn scripted(acts: &[Act]) -> (S3Store, Script) {
    let host = host();
    let script = Script::serve(&host, acts).await;
    let settings = settings(&format!("http://{}", script.address), "s3://bucket/some/prefix");
    (S3Store::open(&host, &settings, tls::Client::refusing()).unwrap(), script)
}

async fn create(acts: &[Act]) -> (Result<Create, StoreError>, usize) {
    let (store, script) = scripted(acts).await;
    let answer = store.create("a/b", "body".into()).await;
    (answer, script.asked())
}

#[tokio::test]
async fn a_create_is_sent_once_whatever_is_answered() {
    assert!(matches!(create(&[Act::Answer(200, "")]).await, (Ok(Create::Created), 1)));
    for status in [304, 412] {
        assert!(matches!(create(&[Act::Answer(status, "")]).await, (Ok(Create::Exists), 1)), "{status}");
    }
    for status in [400, 401, 403, 404, 405, 413] {
        assert!(matches!(create(&[Act::Answer(status, "")]).await, (Err(StoreError::Definite { .. }), 1)), "{status}");
    }
    for status in [408, 409, 429, 500, 502, 503] {
        assert!(matches!(create(&[Act::Answer(status, "")]).await, (Err(StoreError::Unknown { .. }), 1)), "{status}");
    }
    assert!(matches!(create(&[Act::HangUp]).await, (Err(StoreError::Unknown { .. }), 1)));
}

#[tokio::test]
async fn what_changes_nothing_is_asked_again() {
    let (store, script) = scripted(&[Act::Answer(503, ""), Act::HangUp, Act::Answer(200, "hello")]).await;
    assert_eq!(store.get("a/b").await.unwrap(), Some("hello".into()));
    assert_eq!(script.asked(), 3);
    assert_eq!(script.asked.lock().unwrap()[0], "get /bucket/some/prefix/a/b http/1.1");
    let (store, script) = scripted(&[Act::Answer(500, "")]).await;
    assert!(matches!(store.get("a").await, Err(StoreError::Definite { .. })));
    assert_eq!(script.asked(), ATTEMPTS_MAX as usize);
    let (store, script) = scripted(&[Act::Answer(404, "")]).await;
    assert_eq!(store.get("a").await.unwrap(), None);
    assert_eq!(script.asked(), 1);
}

#[tokio::test]
async fn each_try_is_counted_with_the_bytes_of_its_body() {
    let (store, _) = scripted(&[Act::Answer(503, "busy"), Act::HangUp, Act::Answer(200, "hello")]).await;
    store.get("a/b").await.unwrap();
    let asked = store.requests();
    assert_eq!((asked.gets, asked.total(), asked.bytes_up), (3, 3, 0));
    assert_eq!(asked.bytes_down, ("busy".len() + "hello".len()) as u64);
    let _ = store.create("a/b", "body".into()).await.unwrap();
    store.put("a/b", "longer".into()).await.unwrap();
    let _ = store.get_range("a/b", 0..2).await;
    let _ = store.size("a/b").await;
    let _ = store.list("a", "").await;
    store.delete("a/b").await.unwrap();
    let later = store.requests().since(&asked);
    assert_eq!((later.creates, later.puts, later.deletes, later.others), (1, 1, 1, 0), "{later:?}");
    assert!(later.ranges >= 1 && later.heads >= 1 && later.lists >= 1, "{later:?}");
    assert_eq!(later.bytes_up, ("body".len() + "longer".len()) as u64);
}

#[tokio::test]
async fn a_put_that_was_refused_for_good_is_not_repeated() {
    let (store, script) = scripted(&[Act::Answer(403, "")]).await;
    assert!(matches!(store.put("a", "x".into()).await, Err(StoreError::Definite { .. })));
    assert_eq!(script.asked(), 1);
    let (store, _) = scripted(&[Act::Answer(500, "")]).await;
    assert!(matches!(store.put("a", "x".into()).await, Err(StoreError::Unknown { .. })));
}

#[tokio::test]
async fn nobody_at_the_address_is_a_refusal() {
    let host = host();
    let listener = host.net.listen("127.0.0.1:0".parse().unwrap()).await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let settings = settings(&format!("http://{address}"), "s3://bucket");
    let store = S3Store::open(&host, &settings, tls::Client::refusing()).unwrap();
    assert!(matches!(store.create("a", "x".into()).await, Err(StoreError::Definite { .. })));
}

#[tokio::test]
async fn a_connection_that_was_closed_meanwhile_costs_no_create() {
    // The server closes after each answer: the second create finds a connection that is gone.
    let (store, script) = scripted(&[Act::Answer(200, ""), Act::HangUp, Act::Answer(200, "")]).await;
    assert!(matches!(store.create("a", "x".into()).await, Ok(Create::Created)));
    assert!(matches!(store.create("b", "x".into()).await, Err(StoreError::Unknown { .. })));
    assert!(matches!(store.create("c", "x".into()).await, Ok(Create::Created)));
    assert_eq!(script.asked(), 3);
}

#[tokio::test]
async fn a_lost_answer_is_settled_by_reading() {
    let body = r#"{"commit":"mine","floor":1}"#;
    let list = r#"<?xml version="1.0"?><ListBucketResult><Name>bucket</Name><IsTruncated>false</IsTruncated><Contents><Key>some/prefix/c/00000000000000000001.json</Key><LastModified>2026-01-01T00:00:00.000Z</LastModified><Size>27</Size></Contents></ListBucketResult>"#;
    let (store, _) = scripted(&[Act::HangUp, Act::Answer(200, body), Act::Answer(200, list)]).await;
    let chain = Chain::new(Arc::new(store), "c".into());
    assert!(matches!(chain.commit(1, body.into()).await.unwrap(), Commit::Done(head) if head.generation == 1));
}
