//! The store for buckets against a real S3 server over TCP. Where there is none, it is said and passed over.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use helios::chain::s3::{S3Settings, S3Store};
use helios::chain::{Create, Store, conformance, probe};
use helios::control::{Control, Sealing, Swap};
use helios::crypto::{Random, Register, SealingKey, tls};
use helios::host::{Host, real};

use crate::tls::{Authority, EC};

/// A server that ends with the test.
struct S3Server {
    process: Child,
    address: SocketAddr,
}

impl S3Server {
    /// Starts the server of the shared folder, with a bucket `bucket`. `None` if there is no such folder.
    fn start(arguments: &[&str]) -> Option<Self> {
        let Ok(shared) = std::env::var("HELIOS_SHARED") else {
            println!("skipped: HELIOS_SHARED names no folder with an S3 server");
            return None;
        };
        Some(Self::run(&format!("{shared}/tools/s3_server.py"), arguments))
    }

    /// Starts the same server in a form that breaks what chains rely on. `None` where there is no such server.
    fn start_dishonest(lie: &str) -> Option<Self> {
        if std::env::var_os("HELIOS_SHARED").is_none() {
            println!("skipped: HELIOS_SHARED names no folder with an S3 server");
            return None;
        }
        Some(Self::run(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/dishonest_s3.py"), &[lie]))
    }

    fn run(script: &str, arguments: &[&str]) -> Self {
        let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let mut process = Command::new("python3")
            .arg(script)
            .arg(address.port().to_string())
            .args(arguments)
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut said = BufReader::new(process.stderr.take().unwrap());
        let mut line = String::new();
        while !line.contains("Running on") {
            line.clear();
            assert_ne!(said.read_line(&mut line).unwrap(), 0, "the S3 server ended");
        }
        // It says each request: what nobody reads would block it.
        std::thread::spawn(move || std::io::copy(&mut said, &mut std::io::sink()));
        let server = Self { process, address };
        server.make_bucket();
        server
    }

    fn make_bucket(&self) {
        let mut stream = TcpStream::connect(self.address).unwrap();
        let head =
            format!("PUT /bucket HTTP/1.1\r\nHost: {}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n", self.address);
        stream.write_all(head.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    }

    fn store(&self, host: &Host, prefix: &str) -> Arc<dyn Store> {
        Self::store_at(host, &format!("http://{}", self.address), prefix, tls::Client::refusing())
    }

    fn store_at(host: &Host, endpoint: &str, prefix: &str, tls: tls::Client) -> Arc<dyn Store> {
        let variables = [
            ("AWS_ENDPOINT_URL", endpoint),
            ("AWS_ACCESS_KEY_ID", "key"),
            ("AWS_SECRET_ACCESS_KEY", "secret-key"),
            ("AWS_REGION", "us-east-1"),
        ];
        let variables = variables.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
        let settings = S3Settings::new(&format!("s3://bucket/{prefix}"), &variables).unwrap();
        Arc::new(S3Store::open(host, &settings, tls).unwrap())
    }
}

impl Drop for S3Server {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn host() -> Host {
    real::host(Arc::new(Random::new()), 1).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bucket_conforms() {
    let Some(server) = S3Server::start(&[]) else { return };
    let host = host();
    let store = server.store(&host, "some/prefix");
    for check in conformance::run(&store, "conformance").await.unwrap() {
        println!("met: {check}");
    }
    probe::probe(&store, "probe", host.entropy.as_ref()).await.unwrap();
    assert_eq!(store.list_all("", "").await.unwrap(), Vec::new(), "both clean up");
}

/// A proxy that takes TLS before the server. It ends with the test.
struct TlsProxy {
    process: Child,
    port: u16,
}

impl TlsProxy {
    fn start(authority: &Authority, server: &S3Server) -> Self {
        let (cert, key) = authority.good("store", EC);
        let mut process = Command::new("python3")
            .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/tls_proxy.py"))
            .args([&cert, &key])
            .arg(server.address.port().to_string())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut said = BufReader::new(process.stdout.take().unwrap());
        let mut line = String::new();
        said.read_line(&mut line).unwrap();
        std::thread::spawn(move || std::io::copy(&mut said, &mut std::io::sink()));
        Self { process, port: line.trim().parse().unwrap() }
    }
}

impl Drop for TlsProxy {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bucket_behind_tls_conforms_and_a_stranger_is_not_spoken_to() {
    let Some(server) = S3Server::start(&[]) else { return };
    let (authority, stranger) = (Authority::new(), Authority::new());
    let proxy = TlsProxy::start(&authority, &server);
    let (host, register) = (host(), Register::default());
    let endpoint = format!("https://localhost:{}", proxy.port);
    let trusting = |authority: &Authority| register.note_client(tls::Client::trusting(&authority.pem()).unwrap());
    let store = S3Server::store_at(&host, &endpoint, "some/prefix", trusting(&authority));
    for check in conformance::run(&store, "conformance").await.unwrap() {
        println!("met over TLS: {check}");
    }
    let (negotiated, refused) = register.outgoing().counts();
    println!("negotiated: {negotiated:?}");
    assert!(!negotiated.is_empty() && refused == 0);

    let store = S3Server::store_at(&host, &endpoint, "some/prefix", trusting(&stranger));
    let error = store.create("a", "1".into()).await.unwrap_err();
    let chain = helios::api::error::chain(&error);
    assert!(chain.contains("UnknownIssuer"), "{chain}");
    assert!(register.outgoing().counts().1 > 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_lets_two_creates_win_is_refused_at_the_start() {
    for (lie, passes) in [("none", true), ("looks-before-it-writes", false), ("ignores-conditions", false)] {
        let Some(server) = S3Server::start_dishonest(lie) else { return };
        let host = host();
        let store = server.store(&host, "x");
        let one_by_one = [store.create("a", "1".into()).await.unwrap(), store.create("a", "2".into()).await.unwrap()];
        let right = one_by_one == [Create::Created, Create::Exists];
        assert_eq!(right, lie != "ignores-conditions", "{lie}: asked one at a time, most lies are not seen");
        let probed = probe::probe(&store, "probe", host.entropy.as_ref()).await;
        println!("{lie}: {probed:?}");
        match probed {
            Ok(()) => assert!(passes, "{lie} is safe for no chain"),
            Err(refused) => assert!(!passes && matches!(refused, probe::ProbeError::Unsafe(_)), "{lie}: {refused}"),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nodes_that_count_in_one_document_of_a_bucket_lose_no_count() {
    let Some(server) = S3Server::start(&[]) else { return };
    let mut nodes = Vec::new();
    for life in ["a", "b", "c"] {
        let host = host();
        let store = server.store(&host, "x");
        let sealing = Sealing::On(Arc::new(SealingKey::new("k".into(), &[7; 32])));
        nodes.push(tokio::spawn(async move {
            let control = Control::new(store, "_control", &host, life, sealing, Duration::from_secs(10));
            for _ in 0..10 {
                let add = |content: &mut serde_json::Map<String, serde_json::Value>| {
                    let number = content.get("number").and_then(serde_json::Value::as_u64).unwrap_or(0);
                    content.insert("number".into(), (number + 1).into());
                    true
                };
                assert!(matches!(control.update("count", add).await.unwrap(), Some(Swap::Done(_))));
            }
            control
        }));
    }
    for node in nodes {
        let control = node.await.unwrap();
        let count = control.read_now("count").await.unwrap().unwrap();
        println!("generation {} says {:?}", count.generation, count.content);
    }
    let last = server.store(&host(), "x").list_all("_control/count", "").await.unwrap();
    assert_eq!(last.last().unwrap().name, format!("{:020}.json", 30));
}
