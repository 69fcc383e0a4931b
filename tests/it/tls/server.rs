//! The port for TLS, asked by `openssl s_client`.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc::Receiver;

use serde_json::Value;

use super::authority::{Authority, EC, GOOD_FOR_LONG, LOCALHOST, RSA, SHORT_RSA, Wanted};

/// `helios serve` with a port for TLS. It ends with the test.
pub(super) struct Served {
    process: Child,
    plain: SocketAddr,
    secure: SocketAddr,
    /// What it said until it had greeted.
    greeting: String,
    /// What it says after its greeting, line by line.
    says: Receiver<String>,
}

fn command(data: &Path, cert: &Path, key: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_helios"));
    command.args(["serve", "--port", "0", "--ssl-port", "0", "--data-dir"]).arg(data);
    command.arg("--tls-cert").arg(cert).arg("--tls-key").arg(key);
    command.stdout(Stdio::null()).stderr(Stdio::piped());
    command
}

impl Served {
    pub(super) fn start(data: &Path, cert: &Path, key: &Path) -> Self {
        let mut process = command(data, cert, key).spawn().unwrap();
        let mut said = BufReader::new(process.stderr.take().unwrap());
        let mut all = String::new();
        let (plain, secure) = loop {
            let from = all.len();
            assert_ne!(said.read_line(&mut all).unwrap(), 0, "the server ended: {all}");
            if let Some(addresses) = addresses(&all[from..]) {
                break addresses;
            }
        };
        assert!(all.contains("cryptography at the start"), "{all}");
        // What nobody reads would block it.
        let (send, says) = std::sync::mpsc::channel();
        std::thread::spawn(move || said.lines().map_while(Result::ok).try_for_each(|line| send.send(line)));
        Self { process, plain, secure, greeting: all, says }
    }

    /// Waits until it says something, however long that takes.
    fn wait_for(&self, words: &str) {
        if self.greeting.contains(words) {
            return;
        }
        assert!(self.says.iter().any(|line| line.contains(words)), "the server ended and never said: {words}");
    }

    /// What `/api/admin/crypto` says, over the plain port.
    pub(super) fn crypto(&self) -> Value {
        let mut stream = TcpStream::connect(self.plain).unwrap();
        stream.write_all(b"GET /api/admin/crypto HTTP/1.0\r\n\r\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        serde_json::from_str(answer.split_once("\r\n\r\n").unwrap().1).unwrap()
    }

    /// The port for TLS.
    pub(super) fn secure(&self) -> SocketAddr {
        self.secure
    }

    fn fingerprint(&self) -> String {
        let crypto = self.crypto();
        let keys = crypto["keys"].as_array().unwrap().iter();
        keys.filter(|key| key["purpose"] == "TLS listener").map(|key| key["id"].as_str().unwrap().to_owned()).collect()
    }

    /// Asks by `openssl s_client`; the answer if there was one, else what it said.
    fn ask(&self, ca: &Path, args: &[&str]) -> Result<String, String> {
        let mut client = Command::new("openssl")
            .args(["s_client", "-connect", &self.secure.to_string(), "-servername", "localhost", "-ign_eof"])
            .args(["-verify_return_error", "-verify_hostname", "localhost", "-CAfile"])
            .arg(ca)
            .args(args)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("these tests need the program openssl: apt-get install openssl");
        // It may have ended already: then it says why.
        let _ = client.stdin.take().unwrap().write_all(b"GET /healthz HTTP/1.0\r\n\r\n");
        let Output { stdout, stderr, .. } = client.wait_with_output().unwrap();
        let (said, why) = (String::from_utf8_lossy(&stdout), String::from_utf8_lossy(&stderr));
        if said.contains("{\"status\":\"ok\"}") { Ok(said.into_owned()) } else { Err(format!("{said}\n{why}")) }
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// The two addresses of the greeting.
fn addresses(line: &str) -> Option<(SocketAddr, SocketAddr)> {
    let (plain, rest) = line.split_once(" on http://")?.1.split_once(" and https://")?;
    Some((plain.parse().ok()?, rest.split(',').next()?.parse().ok()?))
}

const OLD: &str = "DEFAULT:@SECLEVEL=0";

#[test]
fn a_client_gets_what_is_approved_and_nothing_else() {
    let authority = Authority::new();
    let ca = authority.path("ca.pem");
    for (algorithm, key) in [("ECDSA", EC), ("RSA", RSA)] {
        let (cert, key) = authority.good(algorithm, key);
        let served = Served::start(&authority.path(&format!("data-{algorithm}")), &cert, &key);
        let suite = |of: &str| format!("ECDHE-{algorithm}-{of}");
        let (gcm_256, gcm_128) = (suite("AES256-GCM-SHA384"), suite("AES128-GCM-SHA256"));
        let accepted: [&[&str]; 9] = [
            &[],
            &["-tls1_3", "-ciphersuites", "TLS_AES_256_GCM_SHA384"],
            &["-tls1_3", "-ciphersuites", "TLS_AES_128_GCM_SHA256"],
            &["-tls1_3", "-groups", "P-256"],
            &["-tls1_3", "-groups", "P-384"],
            &["-tls1_3", "-groups", "X25519:P-256"],
            &["-tls1_2", "-cipher", &gcm_256],
            &["-tls1_2", "-cipher", &gcm_128],
            &["-tls1_2", "-cipher", &gcm_256, "-groups", "P-256"],
        ];
        for args in accepted {
            let answer = served.ask(&ca, args).unwrap_or_else(|why| panic!("{algorithm} {args:?}: {why}"));
            assert!(answer.contains("Verify return code: 0 (ok)"), "{answer}");
        }
        let (chacha, cbc) = (suite("CHACHA20-POLY1305"), suite("AES256-SHA384"));
        let refused: [&[&str]; 11] = [
            &["-tls1_3", "-ciphersuites", "TLS_CHACHA20_POLY1305_SHA256"],
            &["-tls1_3", "-ciphersuites", "TLS_AES_128_CCM_SHA256"],
            &["-tls1_3", "-groups", "X25519"],
            &["-tls1_3", "-groups", "X448"],
            &["-tls1_3", "-groups", "P-521"],
            &["-tls1_2", "-cipher", &chacha],
            &["-tls1_2", "-cipher", &cbc],
            &["-tls1_2", "-cipher", "AES256-GCM-SHA384"],
            &["-tls1_2", "-groups", "X25519"],
            &["-tls1_1", "-cipher", OLD],
            &["-tls1", "-cipher", OLD],
        ];
        for args in refused {
            let why = served.ask(&ca, args).err().unwrap_or_else(|| panic!("{algorithm} {args:?} was accepted"));
            assert!(why.contains("alert"), "{algorithm} {args:?}: the server says so itself: {why}");
        }
        // The last client may be gone before the server has counted it.
        let counted = |crypto: &Value| crypto["connections"]["incoming"]["refused"] == refused.len();
        let crypto = std::iter::repeat_with(|| served.crypto()).find(counted).unwrap();
        let connections = &crypto["connections"]["incoming"];
        println!("{algorithm}: {connections}");
        let negotiated = connections["negotiated"].as_array().unwrap();
        let count: u64 = negotiated.iter().map(|what| what["connections"].as_u64().unwrap()).sum();
        assert_eq!(count, accepted.len() as u64);
        assert!(negotiated.iter().all(|what| what["suite"].as_str().unwrap().contains("_GCM_")));
    }
}

/// The first message of a client of TLS 1.2, with what a server needs, and perhaps the wish for an extended master secret.
fn hello(with_extended_master_secret: bool) -> Vec<u8> {
    fn lengthy(bytes: &[u8]) -> Vec<u8> {
        [&u16::try_from(bytes.len()).unwrap().to_be_bytes(), bytes].concat()
    }
    let groups = [[0, 10].as_slice(), &lengthy(&lengthy(&[0, 23]))].concat();
    let points = [[0, 11].as_slice(), &lengthy(&[1, 0])].concat();
    let signatures = [[0, 13].as_slice(), &lengthy(&lengthy(&[4, 3, 8, 4, 4, 1]))].concat();
    let master_secret = if with_extended_master_secret { vec![0, 23, 0, 0] } else { Vec::new() };
    let extensions = lengthy(&[groups, points, signatures, master_secret].concat());
    // Version 1.2, a random number, no session, ECDHE-ECDSA-AES256-GCM-SHA384 and -AES128-, no compression.
    let suites = lengthy(&[0xc0, 0x2c, 0xc0, 0x2b]);
    let body = [&[3, 3][..], &[7; 32], &[0], &suites, &[1, 0], &extensions].concat();
    let message = [&[1, 0][..], &lengthy(&body)].concat();
    [&[22, 3, 1][..], &lengthy(&message)].concat()
}

#[test]
fn without_an_extended_master_secret_there_is_no_tls_1_2() {
    let authority = Authority::new();
    let (cert, key) = authority.good("server", EC);
    let served = Served::start(&authority.path("data"), &cert, &key);
    for (with, expected) in [(true, [22, 3, 3]), (false, [21, 3, 3])] {
        let mut stream = TcpStream::connect(served.secure).unwrap();
        stream.write_all(&hello(with)).unwrap();
        let mut head = [0; 3];
        stream.read_exact(&mut head).unwrap();
        assert_eq!(head, expected, "22 is the next message of a handshake, 21 an alert");
    }
}

#[test]
fn a_hangup_takes_a_new_certificate_and_keeps_the_old_one_if_the_new_is_no_use() {
    let authority = Authority::new();
    let (cert, key) = authority.good("server", EC);
    let served = Served::start(&authority.path("data"), &cert, &key);
    let hang_up = || {
        let pid = served.process.id().to_string();
        assert!(Command::new("kill").args(["-HUP", &pid]).status().unwrap().success());
    };
    let first = served.fingerprint();
    let (other_cert, other_key) = authority.good("other", RSA);
    fs::copy(&other_cert, &cert).unwrap();
    fs::copy(&other_key, &key).unwrap();
    hang_up();
    served.wait_for("read again and is in use");
    assert_ne!(served.fingerprint(), first);
    let second = served.fingerprint();
    fs::write(&cert, "no certificate").unwrap();
    hang_up();
    served.wait_for("is not taken: the old one stays in use");
    assert!(served.ask(&authority.path("ca.pem"), &[]).unwrap().contains("Verify return code: 0 (ok)"));
    assert_eq!(served.fingerprint(), second);
}

/// It serves all the same: who starts a server anew must not lose it to a date, and clients see to it themselves.
#[test]
fn a_certificate_that_clients_refuse_by_its_dates_is_warned_of() {
    let authority = Authority::new();
    let [from, until] = GOOD_FOR_LONG;
    for (name, dates, words) in [
        ("over", [from, "20210101000000Z"], "the TLS certificate ended at 2021-01-01T00:00:00Z"),
        ("early", ["20980101000000Z", until], "the TLS certificate is good from 2098-01-01T00:00:00Z on"),
        ("good", GOOD_FOR_LONG, ""),
    ] {
        let (cert, key) = authority.sign(name, &Wanted { key: EC, names: LOCALHOST, dates });
        let served = Served::start(&authority.path(&format!("data-{name}")), &cert, &key);
        let crypto = served.crypto();
        let warnings = crypto["warnings"].as_array().unwrap();
        if words.is_empty() {
            assert!(warnings.is_empty(), "{warnings:?}");
        } else {
            served.wait_for(words);
            assert!(warnings.len() == 1 && warnings[0].as_str().unwrap().contains(words), "{warnings:?}");
        }
        let key = crypto["keys"].as_array().unwrap().iter().find(|key| key["purpose"] == "TLS listener").unwrap();
        let shown = dates.map(|date| format!("{}-{}-{}T00:00:00Z", &date[..4], &date[4..6], &date[6..8]));
        assert_eq!([&key["not_before"], &key["not_after"]], [&shown[0], &shown[1]]);
        let answer = served.ask(&authority.path("ca.pem"), &[]);
        assert_eq!(answer.is_ok(), words.is_empty(), "a client looks at the dates: {answer:?}");
    }
}

#[test]
fn a_pair_that_is_no_use_stops_the_start_and_says_what_would_be_right() {
    let authority = Authority::new();
    let (cert, key) = authority.good("server", EC);
    let (_, other_key) = authority.good("other", EC);
    let (short_cert, short_key) = authority.good("short", SHORT_RSA);
    let (missing, junk, open) = (authority.path("missing"), authority.path("junk"), authority.path("open"));
    fs::write(&junk, "junk").unwrap();
    fs::copy(&key, &open).unwrap();
    fs::set_permissions(&junk, fs::Permissions::from_mode(0o600)).unwrap();
    fs::set_permissions(&open, fs::Permissions::from_mode(0o604)).unwrap();
    for (cert, key, said) in [
        (&missing, &key, "cannot be read"),
        (&cert, &missing, "cannot be read"),
        (&junk, &key, "BEGIN CERTIFICATE"),
        (&cert, &junk, "no private key"),
        (&cert, &open, "chmod o="),
        (&cert, &other_key, "not that of the certificate"),
        (&short_cert, &short_key, "2048"),
    ] {
        let output = command(&authority.path("data"), cert, key).output().unwrap();
        let why = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{why}");
        assert!(why.contains(said), "{said}: {why}");
    }
}
