//! The product's own client, pointed at the simulated server.

use std::collections::BTreeMap;
use std::sync::Arc;

use helios::chain::Store;
use helios::chain::s3::{S3Settings, S3Store};
use helios::crypto::tls;
use helios::host::Host;

use super::PORT;

/// The settings that lead to the server on machine `name`, with keys that open nothing.
///
/// # Panics
/// If the client refuses them.
pub fn settings(name: &str, prefix: &str) -> S3Settings {
    let variables = [
        ("AWS_ENDPOINT_URL", format!("http://{name}:{PORT}")),
        ("AWS_ACCESS_KEY_ID", "simulated".to_owned()),
        ("AWS_SECRET_ACCESS_KEY", "simulated-secret".to_owned()),
        ("AWS_REGION", "us-east-1".to_owned()),
        ("AWS_ALLOW_HTTP", "true".to_owned()),
    ];
    let variables: BTreeMap<String, String> = variables.map(|(name, value)| (name.to_owned(), value)).into();
    S3Settings::new(&format!("s3://bucket/{prefix}"), &variables).expect("the address is right")
}

/// The real client of a life, below `prefix`.
///
/// # Panics
/// If the client refuses the settings.
pub fn client(host: &Host, name: &str, prefix: &str) -> Arc<dyn Store> {
    Arc::new(S3Store::open(host, &settings(name, prefix), tls::Client::refusing()).expect("the settings are right"))
}
