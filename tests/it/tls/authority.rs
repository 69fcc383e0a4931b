//! Certificates for tests, made by `openssl`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tempfile::TempDir;

/// An authority and what it has signed, in a folder of its own.
pub(crate) struct Authority {
    folder: TempDir,
}

/// How a certificate is.
pub(super) struct Wanted<'a> {
    pub(super) key: &'a [&'a str],
    pub(super) names: &'a str,
    pub(super) dates: [&'a str; 2],
}

pub(crate) const EC: &[&str] = &["ec", "-pkeyopt", "ec_paramgen_curve:P-256"];
pub(super) const RSA: &[&str] = &["rsa:2048"];
pub(super) const SHORT_RSA: &[&str] = &["rsa:1024"];
pub(super) const LOCALHOST: &str = "DNS:localhost,IP:127.0.0.1";
pub(super) const GOOD_FOR_LONG: [&str; 2] = ["20200101000000Z", "20991231000000Z"];

impl Authority {
    pub(crate) fn new() -> Self {
        let authority = Self { folder: tempfile::tempdir().unwrap() };
        let path = |name: &str| authority.path(name).to_str().unwrap().to_owned();
        fs::write(path("serial"), "01\n").unwrap();
        fs::write(path("index"), "").unwrap();
        // Each has a name of its own: two of one name would be taken for one whose signature is wrong.
        let name = format!("/CN=authority in {}", authority.folder.path().file_name().unwrap().display());
        let mut args = vec!["req", "-x509", "-nodes", "-days", "3650", "-subj", &name, "-newkey"];
        args.extend(EC);
        let (key, cert) = (path("ca.key"), path("ca.pem"));
        args.extend(["-keyout", &key, "-out", &cert, "-addext", "basicConstraints=critical,CA:TRUE"]);
        openssl(&args);
        authority
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn pem(&self) -> Vec<u8> {
        fs::read(self.path("ca.pem")).unwrap()
    }

    /// Makes `<name>.pem` and `<name>.key`.
    pub(super) fn sign(&self, name: &str, wanted: &Wanted<'_>) -> (PathBuf, PathBuf) {
        let folder = self.folder.path().to_str().unwrap();
        let (cert, key) = (self.path(&format!("{name}.pem")), self.path(&format!("{name}.key")));
        let (csr, config) = (self.path("csr"), self.path("config"));
        let text = |path: &Path| path.to_str().unwrap().to_owned();
        let mut args = vec!["req", "-nodes", "-subj", "/CN=a server of a test", "-newkey"];
        args.extend(wanted.key);
        let (csr, key_path, cert_path) = (text(&csr), text(&key), text(&cert));
        args.extend(["-keyout", &key_path, "-out", &csr]);
        openssl(&args);
        let written = format!(
            "[ca]\ndefault_ca=c\n[c]\nnew_certs_dir={folder}\ndatabase={folder}/index\nserial={folder}/serial\n\
             private_key={folder}/ca.key\ncertificate={folder}/ca.pem\ndefault_md=sha256\npolicy=p\n\
             unique_subject=no\nx509_extensions=e\n[p]\ncommonName=supplied\n[e]\nsubjectAltName={}\n",
            wanted.names
        );
        fs::write(&config, written).unwrap();
        let config = text(&config);
        let [from, until] = wanted.dates;
        openssl(&[
            "ca",
            "-batch",
            "-notext",
            "-config",
            &config,
            "-startdate",
            from,
            "-enddate",
            until,
            "-in",
            &csr,
            "-out",
            &cert_path,
        ]);
        (cert, key)
    }

    pub(crate) fn good(&self, name: &str, key: &[&str]) -> (PathBuf, PathBuf) {
        self.sign(name, &Wanted { key, names: LOCALHOST, dates: GOOD_FOR_LONG })
    }
}

/// Runs it to its end.
pub(super) fn openssl(args: &[&str]) {
    let done = Command::new("openssl").args(args).stdin(Stdio::null()).output();
    let done = done.expect("these tests need the program openssl: apt-get install openssl");
    assert!(done.status.success(), "openssl {args:?}: {}", String::from_utf8_lossy(&done.stderr));
}
