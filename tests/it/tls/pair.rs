//! A certificate that is replaced under a server.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use helios::crypto::Random;
use helios::crypto::tls::{Pair, PairError, Reload, Server, Tally};
use helios::host::{Host, UnixNanos, real};

use super::authority::{Authority, EC, RSA};

async fn look(server: &Server, host: &Host) -> Result<Reload, PairError> {
    server.look(&host.disk, UnixNanos(5)).await
}

/// As an editor or a client of an authority does it: another file in its place.
fn replace(with: &Path, file: &Path) {
    let temporary = file.with_extension("new");
    fs::copy(with, &temporary).unwrap();
    fs::rename(temporary, file).unwrap();
}

#[tokio::test]
async fn a_new_pair_is_taken_once_both_files_have_settled() {
    let host = real::host(Arc::new(Random::new()), 1).unwrap();
    let authority = Authority::new();
    let (cert, key) = authority.good("server", EC);
    let (new_cert, new_key) = authority.good("new", RSA);
    let pair = Pair { cert: cert.clone(), key: key.clone() };
    let server = Server::open(&host, pair, Arc::<Tally>::default()).await.unwrap();
    let first = server.shown();
    assert_eq!(first.algorithm, "ECDSA");
    assert_eq!(look(&server, &host).await.unwrap(), Reload::Same);

    replace(&new_cert, &cert);
    assert_eq!(look(&server, &host).await.unwrap(), Reload::Changing, "the key may follow");
    let refused = look(&server, &host).await;
    assert!(matches!(refused, Err(PairError::Mismatch { .. })), "it did not: {refused:?}");
    assert_eq!(look(&server, &host).await.unwrap(), Reload::Same, "said once");
    assert_eq!(server.shown(), first);

    replace(&new_key, &key);
    assert_eq!(look(&server, &host).await.unwrap(), Reload::Changing);
    assert_eq!(look(&server, &host).await.unwrap(), Reload::Taken);
    assert_eq!((server.shown().algorithm, server.shown().since), ("RSA", UnixNanos(5)));

    fs::remove_file(&key).unwrap();
    assert!(matches!(look(&server, &host).await, Err(PairError::Unreadable { .. })));
    replace(&new_key, &key);
    assert_eq!(look(&server, &host).await.unwrap(), Reload::Same, "it came back as it was");
}
