//! Which bucket, and how to reach it: the address of the store, the usual `AWS_…` variables, and profiles.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use object_store::aws::AmazonS3ConfigKey;

use crate::host::Disk;

/// Where objects are, and how to get there.
#[derive(Clone, Eq, PartialEq)]
pub struct S3Settings {
    /// The bucket.
    pub bucket: String,
    /// What all keys begin with, without a `/` at the end; may be empty.
    pub prefix: String,
    /// Region, endpoint, path style, credentials: what the variables say.
    pub(super) options: Vec<(AmazonS3ConfigKey, String)>,
}

/// Why the settings are no use.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("the shared store's settings: {0}")]
pub struct SettingsError(pub String);

impl S3Settings {
    /// Reads `s3://bucket/prefix` and the variables of the environment: `AWS_REGION` or `AWS_DEFAULT_REGION`,
    /// `AWS_ENDPOINT_URL` or `AWS_ENDPOINT_URL_S3`, `AWS_VIRTUAL_HOSTED_STYLE_REQUEST` (path style is the default),
    /// `AWS_ACCESS_KEY_ID` with `AWS_SECRET_ACCESS_KEY` and `AWS_SESSION_TOKEN`, and those of web identity and
    /// container credentials. With none of the last, credentials come from a profile or from the machine.
    ///
    /// # Errors
    /// What is wrong with the address.
    pub fn new(url: &str, variables: &BTreeMap<String, String>) -> Result<Self, SettingsError> {
        let rest = url.strip_prefix("s3://").ok_or_else(|| SettingsError(format!("{url} is no s3://bucket/prefix")))?;
        let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
        let prefix = prefix.trim_end_matches('/');
        let good = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'.' || b == b'_';
        if bucket.is_empty() || !bucket.bytes().all(good) {
            return Err(SettingsError(format!("`{bucket}` in {url} is no name for a bucket")));
        }
        if !prefix.is_empty() && crate::chain::store::check_key(prefix).is_err() {
            return Err(SettingsError(format!("`{prefix}` in {url}: letters, digits and ._-= in parts between /")));
        }
        let known = variables.iter().filter(|(name, value)| name.starts_with("AWS_") && !value.is_empty());
        let options = known.filter_map(|(name, value)| Some((name.to_ascii_lowercase().parse().ok()?, value.clone())));
        Ok(Self { bucket: bucket.to_owned(), prefix: prefix.to_owned(), options: options.collect() })
    }

    /// Adds what the profile says to what the variables do not say: keys from the file of credentials, the region
    /// from the file of configuration. A file that is not there says nothing, unless a profile was asked for.
    ///
    /// # Errors
    /// If a profile was named and is not there, or wants something else than keys.
    pub async fn with_profile(
        mut self,
        disk: &Arc<dyn Disk>,
        variables: &BTreeMap<String, String>,
    ) -> Result<Self, SettingsError> {
        let named = variables.get("AWS_PROFILE").filter(|name| !name.is_empty());
        let profile = named.map_or("default", String::as_str);
        let home = variables.get("HOME").map(PathBuf::from);
        let path = |variable: &str, file: &str| match variables.get(variable) {
            Some(path) => Some(PathBuf::from(path)),
            None => home.as_ref().map(|home| home.join(".aws").join(file)),
        };
        let credentials = section(disk, path("AWS_SHARED_CREDENTIALS_FILE", "credentials"), &[profile]).await?;
        let long = format!("profile {profile}");
        let config = section(disk, path("AWS_CONFIG_FILE", "config"), &[&long, profile]).await?;
        if let (Some(name), None, None) = (named, &credentials, &config) {
            return Err(SettingsError(format!("there is no profile `{name}`")));
        }
        let says: BTreeMap<_, _> = config.into_iter().chain(credentials).flatten().collect();
        if let (Some(name), Some(kind)) = (named, UNSUPPORTED.iter().find(|kind| says.contains_key(**kind))) {
            return Err(SettingsError(format!("profile `{name}` has {kind}, which is not supported: give it keys")));
        }
        self.add_profile(&says);
        Ok(self)
    }

    fn add_profile(&mut self, says: &BTreeMap<String, String>) {
        let has = |settings: &Self, key| settings.options.iter().any(|(known, _)| *known == key);
        // All keys of one place or none: those of two belong to two accounts.
        if !has(self, AmazonS3ConfigKey::AccessKeyId) {
            for (name, key) in KEYS {
                self.options.extend(says.get(*name).map(|value| (*key, value.clone())));
            }
        }
        let (region, default) = (AmazonS3ConfigKey::Region, AmazonS3ConfigKey::DefaultRegion);
        if !has(self, region) && !has(self, default) {
            self.options.extend(says.get("region").map(|value| (region, value.clone())));
        }
        if !has(self, AmazonS3ConfigKey::Endpoint) {
            self.options.extend(says.get("endpoint_url").map(|value| (AmazonS3ConfigKey::Endpoint, value.clone())));
        }
    }
}

impl std::fmt::Debug for S3Settings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Never the values: there are secrets among them.
        f.debug_struct("S3Settings").field("bucket", &self.bucket).field("prefix", &self.prefix).finish_non_exhaustive()
    }
}

/// One section of a file; `None` if the file or the section is not there.
async fn section(
    disk: &Arc<dyn Disk>,
    path: Option<PathBuf>,
    names: &[&str],
) -> Result<Option<BTreeMap<String, String>>, SettingsError> {
    let Some(path) = path else { return Ok(None) };
    let text = match read(disk, &path).await {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(SettingsError(format!("{}: {error}", path.display()))),
    };
    Ok(parse_section(&text, names))
}

async fn read(disk: &Arc<dyn Disk>, path: &Path) -> io::Result<String> {
    let file = disk.open(path).await?;
    let len = usize::try_from(file.len().await?.min(FILE_BYTES_MAX)).unwrap_or(0);
    let bytes = file.read_at(0, len).await?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// The `name = value` lines below a `[name]`; nested and commented lines are passed over.
fn parse_section(text: &str, names: &[&str]) -> Option<BTreeMap<String, String>> {
    let mut found: Option<BTreeMap<String, String>> = None;
    let mut inside = false;
    for line in text.lines() {
        let comment = line.trim_start().starts_with(['#', ';']);
        if let Some(name) = line.trim().strip_prefix('[').and_then(|rest| rest.split_once(']')).map(|(name, _)| name) {
            inside = names.contains(&name.trim());
            if inside {
                found.get_or_insert_default();
            }
        } else if let (true, false, Some((name, value))) = (inside, comment, line.split_once('='))
            && !line.starts_with([' ', '\t'])
        {
            found.get_or_insert_default().insert(name.trim().to_ascii_lowercase(), value.trim().to_owned());
        }
    }
    found
}

const KEYS: &[(&str, AmazonS3ConfigKey)] = &[
    ("aws_access_key_id", AmazonS3ConfigKey::AccessKeyId),
    ("aws_secret_access_key", AmazonS3ConfigKey::SecretAccessKey),
    ("aws_session_token", AmazonS3ConfigKey::Token),
];

/// Ways to credentials that a profile may ask for and that are not built in.
const UNSUPPORTED: &[&str] = &["role_arn", "source_profile", "sso_start_url", "sso_session", "credential_process"];

/// No file of profiles is longer.
const FILE_BYTES_MAX: u64 = 1 << 20;

#[cfg(test)]
mod tests {
    use super::*;

    fn variables(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    fn value(settings: &S3Settings, key: AmazonS3ConfigKey) -> Option<&str> {
        settings.options.iter().find(|(known, _)| *known == key).map(|(_, value)| value.as_str())
    }

    #[test]
    fn an_address_names_bucket_and_prefix() {
        let parsed = |url: &str| S3Settings::new(url, &BTreeMap::new()).map(|s| (s.bucket, s.prefix)).ok();
        assert_eq!(parsed("s3://logs"), Some(("logs".into(), String::new())));
        assert_eq!(parsed("s3://logs/a/b/"), Some(("logs".into(), "a/b".into())));
        for wrong in ["s3://", "s3:///x", "logs/a", "s3://UPPER/x", "s3://b/../x", "s3://b/a//b"] {
            assert_eq!(parsed(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn variables_are_taken_and_never_printed() {
        let variables = variables(&[
            ("AWS_REGION", "eu-west-1"),
            ("AWS_SECRET_ACCESS_KEY", "hidden"),
            ("AWS_NOBODY_KNOWS", "x"),
            ("PATH", "y"),
        ]);
        let settings = S3Settings::new("s3://b", &variables).unwrap();
        assert_eq!(value(&settings, AmazonS3ConfigKey::Region), Some("eu-west-1"));
        assert_eq!(settings.options.len(), 2);
        assert!(!format!("{settings:?}").contains("hidden"));
    }

    #[test]
    fn a_profile_fills_what_the_variables_leave_open() {
        let text = "# keys\n[default]\naws_access_key_id = A\n[work]\naws_access_key_id=B\naws_secret_access_key = S\ns3 =\n  max = 3\n[x]\n";
        let says = parse_section(text, &["work"]).unwrap();
        assert_eq!(says.get("aws_access_key_id").map(String::as_str), Some("B"));
        assert_eq!(says.get("max"), None, "nested lines belong to another setting");
        assert_eq!(parse_section(text, &["nobody"]), None);
        let mut empty = S3Settings::new("s3://b", &BTreeMap::new()).unwrap();
        empty.add_profile(&says);
        assert_eq!(value(&empty, AmazonS3ConfigKey::SecretAccessKey), Some("S"));
        let mut full = S3Settings::new("s3://b", &variables(&[("AWS_ACCESS_KEY_ID", "mine")])).unwrap();
        full.add_profile(&says);
        assert_eq!(value(&full, AmazonS3ConfigKey::SecretAccessKey), None, "keys of two accounts never mix");
    }
}
