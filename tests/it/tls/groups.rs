//! Each group of the key exchange, negotiated for real, by a client that offers it alone. The other tests here ask the program
//! `openssl`, which knows ML-KEM only since its version 3.5; this client is rustls on our own module.

use std::io::{self, Read as _, Write as _};
use std::net::TcpStream;
use std::sync::Arc;

use rustls::crypto::aws_lc_rs::{self, kx_group};
use rustls::crypto::{CryptoProvider, SupportedKxGroup};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::{ClientConfig, ClientConnection, RootCertStore, Stream};

use super::authority::{Authority, EC};
use super::server::Served;

/// The group by which the server has answered a request.
fn ask(served: &Served, authority: &Authority, group: &'static dyn SupportedKxGroup) -> io::Result<String> {
    let provider = CryptoProvider { kx_groups: vec![group], ..aws_lc_rs::default_provider() };
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(CertificateDer::pem_slice_iter(&authority.pem()).flatten());
    let config =
        ClientConfig::builder_with_provider(Arc::new(provider)).with_protocol_versions(&[&rustls::version::TLS13]);
    let config = config.unwrap().with_root_certificates(roots).with_no_client_auth();
    let mut connection = ClientConnection::new(Arc::new(config), "localhost".try_into().unwrap()).unwrap();
    let mut socket = TcpStream::connect(served.secure()).unwrap();
    let mut stream = Stream::new(&mut connection, &mut socket);
    stream.write_all(b"GET /healthz HTTP/1.0\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    assert!(answer.contains("{\"status\":\"ok\"}"), "{answer}");
    let group = connection.negotiated_key_exchange_group().expect("the handshake is done");
    Ok(group.name().as_str().unwrap().to_owned())
}

#[test]
fn each_group_that_is_spoken_is_negotiated_and_no_other() {
    let authority = Authority::new();
    let (cert, key) = authority.good("server", EC);
    let served = Served::start(&authority.path("data"), &cert, &key);
    let spoken = [kx_group::SECP256R1, kx_group::SECP384R1, kx_group::X25519MLKEM768];
    for group in spoken {
        assert_eq!(ask(&served, &authority, group).unwrap(), group.name().as_str().unwrap());
    }
    let negotiated = served.crypto()["connections"]["incoming"]["negotiated"].clone();
    let groups: Vec<_> = negotiated.as_array().unwrap().iter().map(|what| what["group"].as_str().unwrap()).collect();
    assert_eq!(groups, ["X25519MLKEM768", "secp256r1", "secp384r1"], "the server counts the same");
    let refused = ask(&served, &authority, kx_group::X25519).expect_err("X25519 alone");
    assert!(refused.to_string().contains("HandshakeFailure"), "{refused}");
}
