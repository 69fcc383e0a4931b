//! Our own client against `openssl s_server`, as it may meet it on the way to a store.

use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use helios::crypto::Random;
use helios::crypto::tls::{Client, Tally};
use helios::host::{Host, real};

use super::authority::{Authority, EC, GOOD_FOR_LONG, LOCALHOST, RSA, SHORT_RSA, Wanted};

/// A server that ends with the test.
struct Hostile {
    process: Child,
    addr: SocketAddr,
}

impl Hostile {
    fn start(cert: &Path, key: &Path, args: &[&str]) -> Self {
        let mut process = Command::new("openssl")
            .args(["s_server", "-accept", "127.0.0.1:0", "-cert"])
            .arg(cert)
            .arg("-key")
            .arg(key)
            .args(args)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("these tests need the program openssl: apt-get install openssl");
        let mut said = BufReader::new(process.stdout.take().unwrap());
        let mut line = String::new();
        let addr = loop {
            line.clear();
            assert_ne!(said.read_line(&mut line).unwrap(), 0, "openssl s_server {args:?} ended");
            if let Some(addr) = line.trim().strip_prefix("ACCEPT ") {
                break addr.parse().unwrap();
            }
        };
        std::thread::spawn(move || std::io::copy(&mut said, &mut std::io::sink()));
        Self { process, addr }
    }
}

impl Drop for Hostile {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

async fn connect(host: &Host, client: &Client, server: &Hostile, name: &str) -> Result<(), String> {
    let stream = host.net.connect(server.addr).await.unwrap();
    client.connect(name, stream).await.map(|_| ()).map_err(|error| error.to_string())
}

#[tokio::test(flavor = "multi_thread")]
async fn our_client_takes_what_is_approved_and_nothing_else() {
    let host = real::host(Arc::new(Random::new()), 1).unwrap();
    let (authority, stranger) = (Authority::new(), Authority::new());
    let ec = authority.good("ec", EC);
    let rsa = authority.good("rsa", RSA);
    let short = authority.good("short", SHORT_RSA);
    let other_name = Wanted { key: EC, names: "DNS:elsewhere.example", dates: GOOD_FOR_LONG };
    let other_name = authority.sign("other-name", &other_name);
    let past = Wanted { key: EC, names: LOCALHOST, dates: ["20200101000000Z", "20200201000000Z"] };
    let expired = authority.sign("expired", &past);
    let unknown = stranger.good("unknown", EC);
    let tally = Arc::<Tally>::default();
    let client = Client::trusting(&authority.pem()).unwrap().counting(Arc::clone(&tally));

    let accepted: [(_, &[&str]); 6] = [
        (&ec, &[]),
        (&rsa, &[]),
        (&ec, &["-tls1_3", "-groups", "P-384"]),
        (&ec, &["-tls1_3", "-ciphersuites", "TLS_AES_128_GCM_SHA256"]),
        (&ec, &["-tls1_2"]),
        (&rsa, &["-tls1_2", "-cipher", "ECDHE-RSA-AES128-GCM-SHA256"]),
    ];
    for ((cert, key), args) in accepted {
        let server = Hostile::start(cert, key, args);
        assert_eq!(connect(&host, &client, &server, "localhost").await, Ok(()), "{args:?}");
    }
    const SPOKEN: &str = "AES-GCM";
    let refused: [(&str, _, &[&str], &str); 12] = [
        ("ChaCha20 in 1.3", &ec, &["-tls1_3", "-ciphersuites", "TLS_CHACHA20_POLY1305_SHA256"], SPOKEN),
        ("ChaCha20 in 1.2", &ec, &["-tls1_2", "-cipher", "ECDHE-ECDSA-CHACHA20-POLY1305"], SPOKEN),
        ("CBC", &ec, &["-tls1_2", "-cipher", "ECDHE-ECDSA-AES256-SHA384"], SPOKEN),
        ("no forward secrecy", &rsa, &["-tls1_2", "-cipher", "AES256-GCM-SHA384"], SPOKEN),
        ("X25519 alone", &ec, &["-tls1_3", "-groups", "X25519"], SPOKEN),
        ("X25519 alone in 1.2", &ec, &["-tls1_2", "-groups", "X25519"], SPOKEN),
        ("1.1", &rsa, &["-tls1_1", "-cipher", "DEFAULT:@SECLEVEL=0"], SPOKEN),
        ("RSA of 1024 bits in 1.3", &short, &["-tls1_3", "-cipher", "DEFAULT:@SECLEVEL=0"], "2048"),
        ("RSA of 1024 bits in 1.2", &short, &["-tls1_2", "-cipher", "DEFAULT:@SECLEVEL=0"], "2048"),
        ("another name", &other_name, &[], "not valid for name"),
        ("expired", &expired, &[], "expired"),
        ("another authority", &unknown, &[], "UnknownIssuer"),
    ];
    for (what, (cert, key), args, said) in &refused {
        let server = Hostile::start(cert, key, args);
        let why = connect(&host, &client, &server, "localhost").await.expect_err(what);
        println!("{what}: {why}");
        assert!(why.contains(said) && why.contains("localhost"), "{what}: {why}");
    }
    let (done, refusals) = tally.counts();
    assert_eq!(done.iter().map(|(_, count)| count).sum::<u64>(), accepted.len() as u64, "{done:?}");
    assert_eq!(refusals, refused.len() as u64);
}
