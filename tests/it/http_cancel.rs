//! A closed connection ends its query's work; a query over its memory ends with a clear error; a panic
//! is one request's matter.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex};

use helios::crypto::Random;
use helios::host::real::{self, RealCpu};
use helios::host::{BoxFuture, Cost, Cpu, CpuPool, Host};
use helios::query::QueryLimits;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::server::{Changes, TestServer, patient};

/// A pool whose jobs are counted, and wait at a gate while it is shut.
struct GatedCpu {
    inner: RealCpu,
    gate: Arc<Gate>,
}

#[derive(Default)]
struct Gate {
    shut: Mutex<bool>,
    opened: Condvar,
    waiting: AtomicUsize,
    counted: AtomicBool,
    run: AtomicUsize,
    panics: AtomicBool,
}

impl Cpu for GatedCpu {
    fn submit(&self, cost: Cost, job: Box<dyn FnOnce() + Send>) -> BoxFuture<'static, ()> {
        let gate = self.gate.clone();
        let gated = move || {
            gate.waiting.fetch_add(1, Ordering::SeqCst);
            let shut = gate.opened.wait_while(gate.shut.lock().unwrap(), |shut| *shut).unwrap();
            drop(shut);
            if gate.counted.load(Ordering::SeqCst) {
                gate.run.fetch_add(1, Ordering::SeqCst);
            }
            assert!(!gate.panics.load(Ordering::SeqCst), "a bug, on purpose");
            job();
        };
        self.inner.submit(cost, Box::new(gated))
    }

    fn workers(&self) -> usize {
        self.inner.workers()
    }
}

fn gated() -> (Host, Arc<Gate>) {
    let gate = Arc::new(Gate::default());
    let mut host = real::host(Arc::new(Random::new()), 2).unwrap();
    host.cpu = CpuPool::new(Arc::new(GatedCpu { inner: RealCpu::new(2).unwrap(), gate: gate.clone() }));
    (host, gate)
}

/// One event on each of many days: as many partitions, so as many pieces of work.
const DAYS: usize = 300;

async fn filled(host: Host) -> TestServer {
    let server = TestServer::with(Changes { engine: patient(), host: Some(host), ..Changes::default() }).await;
    let day = |n: usize| format!("{{\"ts\":{},\"n\":{n}}}\n", 1_700_000_000 + n * 86_400);
    server.ingest("app", (0..DAYS).map(day).collect::<String>()).await;
    server
}

async fn count_jobs_of(path: &str, hang_up: bool) -> usize {
    let (host, gate) = gated();
    let server = filled(host).await;
    gate.counted.store(true, Ordering::SeqCst);
    *gate.shut.lock().unwrap() = true;
    gate.waiting.store(0, Ordering::SeqCst);
    let mut stream = server.host.net.connect(server.server.addr()).await.unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    while gate.waiting.load(Ordering::SeqCst) == 0 {
        tokio::task::yield_now().await;
    }
    if hang_up {
        drop(stream);
        // The server's own counter says when it has noticed: a request that ended without an answer.
        while !server.text("/metrics", &[]).await.contains("status=\"0\"") {}
        open(&gate);
        // One more question, which runs after whatever is left of the first.
        gate.counted.store(false, Ordering::SeqCst);
        server.get("/api/search", &[("q", "n:1")]).await;
    } else {
        open(&gate);
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await.unwrap();
        assert!(answer.starts_with(b"HTTP/1.1 200 "), "{}", String::from_utf8_lossy(&answer));
    }
    gate.run.load(Ordering::SeqCst)
}

fn open(gate: &Gate) {
    *gate.shut.lock().unwrap() = false;
    gate.opened.notify_all();
}

#[tokio::test]
async fn a_closed_connection_ends_its_querys_work() {
    for path in ["/api/search?q=*%20%7C%20stats%20count%20by%20n", "/api/histogram", "/api/discover_fields"] {
        let whole = count_jobs_of(path, false).await;
        assert!(whole >= DAYS, "{path}: {whole} jobs for {DAYS} partitions");
        let cut = count_jobs_of(path, true).await;
        assert!(cut < whole / 4, "{path}: {cut} of {whole} jobs ran although nobody waited");
    }
}

#[tokio::test]
async fn a_query_over_its_memory_ends_with_a_clear_error_and_the_server_lives_on() {
    let queries = QueryLimits { memory_bytes: 64 << 10, ..QueryLimits::default() };
    let server = TestServer::with(Changes { engine: patient(), queries, ..Changes::default() }).await;
    let line = |n: usize| format!("{{\"ts\":\"2026-06-14T10:00:00Z\",\"user\":\"somebody number {n}\"}}\n");
    server.ingest("app", (0..20_000).map(line).collect::<String>()).await;
    let (status, error) = server.refusal("/api/search", &[("q", "* | stats count by user")]).await;
    assert_eq!((status, error["code"].as_str()), (422, Some("query_memory")), "{error}");
    assert!(error["message"].as_str().unwrap().contains("memory"), "{error}");
    assert_eq!(server.get("/api/search", &[("limit", "0")]).await["total"], 20_000);
}

#[tokio::test]
async fn a_bug_in_one_request_is_that_requests_500() {
    let (host, gate) = gated();
    let server = filled(host).await;
    gate.panics.store(true, Ordering::SeqCst);
    let (status, error) = server.refusal("/api/search", &[]).await;
    assert_eq!((status, error["code"].as_str()), (500, Some("internal")));
    assert!(!error.to_string().contains("on purpose"), "what happened inside is for the log: {error}");
    gate.panics.store(false, Ordering::SeqCst);
    assert_eq!(server.get("/api/search", &[("limit", "0")]).await["total"], DAYS);
}
