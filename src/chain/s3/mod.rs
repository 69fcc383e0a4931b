//! A store in a bucket that speaks S3.
//!
//! Requests are made and signed by `object_store`, with its own retries switched off: only this file knows
//! which request may be sent twice. A create is sent once, unless nothing of it went out; what became of it is
//! for the chain to settle. Everything else is repeated, with growing pauses on the host's clock.
//!
//! **Boundary.** Knows objects, and neither chains nor blocks.

mod crypto;
mod http;
mod settings;

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use object_store::aws::{AmazonS3, AmazonS3Builder};
use object_store::list::{PaginatedListOptions, PaginatedListStore};
use object_store::path::Path;
use object_store::{GetOptions, GetRange, GetResult, ObjectStore, ObjectStoreExt, PutMode, PutOptions, RetryConfig};

use crypto::ModuleCrypto;
use http::{Connector, Reached, Wire};
pub use settings::{S3Settings, SettingsError};

use super::requests::Counter;
use super::store::{BoxError, OBJECT_BYTES_MAX, check_key, check_range};
use super::{Create, Object, Page, Requests, Store, StoreDate, StoreError};
use crate::crypto::tls;
use crate::host::{BoxFuture, Clock, Entropy, Host};

/// Objects in a bucket, below a prefix.
pub struct S3Store {
    client: AmazonS3,
    /// Empty, or ends in `/`.
    prefix: String,
    clock: Arc<dyn Clock>,
    /// For pauses that differ from node to node.
    entropy: Arc<dyn Entropy>,
    requests: Arc<Counter>,
}

/// What a failed request means for the object.
enum Verdict {
    /// Nothing happened.
    Refused,
    /// It may have happened.
    Open,
    /// A condition was not met: the object exists.
    Exists,
}

impl S3Store {
    /// A store as the settings say. Sends nothing.
    ///
    /// # Errors
    /// If the settings don't name a bucket and a way to it.
    pub fn open(host: &Host, settings: &S3Settings, tls: tls::Client) -> Result<Self, SettingsError> {
        crypto::check_secret(&settings.options)?;
        let requests = Arc::<Counter>::default();
        let retry = RetryConfig { max_retries: 0, ..RetryConfig::default() };
        let builder =
            settings.options.iter().fold(AmazonS3Builder::new(), |b, (key, value)| b.with_config(*key, value));
        let client = builder
            .with_bucket_name(&settings.bucket)
            .with_retry(retry)
            // One request an object: S3's request for many needs a digest that we do not link.
            .with_disable_bulk_delete(true)
            .with_crypto_provider(Arc::new(ModuleCrypto))
            .with_http_connector(Connector::new(host.clone(), tls, Arc::clone(&requests)))
            .build()
            .map_err(|error| SettingsError(error.to_string()))?;
        let prefix = if settings.prefix.is_empty() { String::new() } else { format!("{}/", settings.prefix) };
        let (clock, entropy) = (Arc::clone(&host.clock), host.entropy.fork("s3"));
        Ok(Self { client, prefix, clock, entropy, requests })
    }

    fn path(&self, key: &str) -> Result<Path, StoreError> {
        check_key(key)?;
        Path::parse(format!("{}{key}", self.prefix)).map_err(|error| StoreError::definite(key, error))
    }

    async fn create_once(&self, key: &str, body: Bytes) -> Result<Create, StoreError> {
        let path = self.path(key)?;
        for attempt in 1.. {
            let wire = Arc::<Wire>::default();
            let options = PutOptions { mode: PutMode::Create, extensions: wire.extensions(), ..PutOptions::default() };
            let Err(error) = self.client.put_opts(&path, body.clone().into(), options).await else {
                return Ok(Create::Created);
            };
            match (wire.reached(), verdict(wire.reached())) {
                (Reached::NotSent, _) if attempt < ATTEMPTS_MAX => self.pause(attempt).await,
                (_, Verdict::Exists) => return Ok(Create::Exists),
                (_, Verdict::Refused) => return Err(StoreError::definite(key, error)),
                // UNKNOWN: also after a 500 or 503. Some stores answer so when the object is there already.
                (_, Verdict::Open) => return Err(StoreError::unknown(key, error)),
            }
        }
        unreachable!("the last attempt returns")
    }

    /// Makes a request that may be made again until it is answered.
    async fn repeat<T, F>(&self, request: impl Fn(Arc<Wire>) -> F) -> Result<T, (BoxError, Reached)>
    where
        F: Future<Output = object_store::Result<T>>,
    {
        for attempt in 1.. {
            let wire = Arc::<Wire>::default();
            match request(Arc::clone(&wire)).await {
                Ok(value) => return Ok(value),
                Err(error) => {
                    let reached = wire.reached();
                    if attempt == ATTEMPTS_MAX || !may_repeat(reached) {
                        return Err((error.into(), reached));
                    }
                    tracing::debug!(%error, attempt, "a request to the object store is made again");
                }
            }
            self.pause(attempt).await;
        }
        unreachable!("the last attempt returns")
    }

    /// Waits before the next attempt: twice as long each time, and somewhere between half of it and all of it.
    async fn pause(&self, attempt: u32) {
        let longest = (PAUSE_MS_FIRST << (attempt - 1)).min(PAUSE_MS_MAX);
        let millis = longest / 2 + self.entropy.next_u64() % (longest / 2 + 1);
        self.clock.sleep(Duration::from_millis(millis)).await;
    }

    /// An object or a part of it; `None` if there is none.
    async fn read(&self, key: &str, range: Option<Range<u64>>, head: bool) -> Result<Option<Got>, StoreError> {
        let path = self.path(key)?;
        let request = |wire: Arc<Wire>| {
            let range = range.clone().map(GetRange::Bounded);
            let options = GetOptions { range, head, extensions: wire.extensions(), ..GetOptions::default() };
            let path = &path;
            async move {
                let result: GetResult = self.client.get_opts(path, options).await?;
                let size = result.meta.size;
                let body = if head { Bytes::new() } else { result.bytes().await? };
                Ok(Got { size, body })
            }
        };
        match self.repeat(request).await {
            Ok(got) if got.size > OBJECT_BYTES_MAX => {
                Err(StoreError::definite(key, "it is larger than an object may be"))
            }
            Ok(got) => Ok(Some(got)),
            Err((_, Reached::Answered(404))) => Ok(None),
            Err((error, _)) => Err(StoreError::definite(key, error)),
        }
    }

    async fn list_page(&self, folder: &str, after: &str) -> Result<Page, StoreError> {
        let below = if folder.is_empty() { self.prefix.clone() } else { format!("{}{folder}/", self.prefix) };
        let request = |wire: Arc<Wire>| {
            let offset = (!after.is_empty()).then(|| format!("{below}{after}"));
            let options =
                PaginatedListOptions { offset, extensions: wire.extensions(), ..PaginatedListOptions::default() };
            let prefix = Some(below.as_str()).filter(|below| !below.is_empty());
            async move { self.client.list_paginated(prefix, options).await }
        };
        let page = self.repeat(request).await.map_err(|(error, _)| StoreError::definite(folder, error))?;
        let more = page.page_token.is_some();
        let named = page.result.objects.into_iter().filter_map(|meta| {
            let name = meta.location.as_ref().strip_prefix(&below)?.to_owned();
            Some(Object { name, bytes: meta.size })
        });
        let mut objects: Vec<Object> = named.collect();
        if !objects.is_sorted() {
            // Goes on would be wrong: the last name of a page says nothing of what the next one shows.
            objects.sort_unstable();
            if more {
                return Err(StoreError::definite(folder, "this store does not list in the order of names"));
            }
        }
        Ok(Page { objects, more })
    }
}

/// What a read gave.
struct Got {
    size: u64,
    body: Bytes,
}

impl Store for S3Store {
    fn create<'a>(&'a self, key: &'a str, body: Bytes) -> BoxFuture<'a, Result<Create, StoreError>> {
        Box::pin(self.create_once(key, body))
    }

    fn put<'a>(&'a self, key: &'a str, body: Bytes) -> BoxFuture<'a, Result<(), StoreError>> {
        Box::pin(async move {
            let path = self.path(key)?;
            let request = |wire: Arc<Wire>| {
                let (path, body) = (&path, body.clone());
                let options = PutOptions { extensions: wire.extensions(), ..PutOptions::default() };
                async move { self.client.put_opts(path, body.into(), options).await.map(|_| ()) }
            };
            self.repeat(request).await.map_err(|failure| changed(key, failure))
        })
    }

    fn get<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<Option<Bytes>, StoreError>> {
        Box::pin(async move { Ok(self.read(key, None, false).await?.map(|got| got.body)) })
    }

    fn get_range<'a>(&'a self, key: &'a str, range: Range<u64>) -> BoxFuture<'a, Result<Option<Bytes>, StoreError>> {
        Box::pin(async move {
            check_range(key, &range)?;
            let Some(got) = self.read(key, Some(range.clone()), false).await? else { return Ok(None) };
            if got.body.len() as u64 != range.end - range.start {
                return Err(StoreError::definite(key, format!("{range:?} is not within its {} bytes", got.size)));
            }
            Ok(Some(got.body))
        })
    }

    fn size<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<Option<u64>, StoreError>> {
        Box::pin(async move { Ok(self.read(key, None, true).await?.map(|got| got.size)) })
    }

    fn list<'a>(&'a self, folder: &'a str, after: &'a str) -> BoxFuture<'a, Result<Page, StoreError>> {
        Box::pin(self.list_page(folder, after))
    }

    fn delete<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<(), StoreError>> {
        Box::pin(async move {
            let path = self.path(key)?;
            // Its request carries nothing of ours, so that how far it came is not known: any error may be repeated.
            for attempt in 1.. {
                match self.client.delete(&path).await {
                    Ok(()) | Err(object_store::Error::NotFound { .. }) => return Ok(()),
                    Err(error) if attempt == ATTEMPTS_MAX => return Err(StoreError::unknown(key, error)),
                    Err(_) => self.pause(attempt).await,
                }
            }
            unreachable!("the last attempt returns")
        })
    }

    fn harden<'a>(&'a self, _folder: &'a str) -> BoxFuture<'a, Result<(), StoreError>> {
        // What a bucket shows is durable.
        Box::pin(async { Ok(()) })
    }

    fn date(&self) -> Option<StoreDate> {
        self.requests.date()
    }

    /// Those that went out, each try of its own, and all of a body: what is paid for.
    fn requests(&self) -> Requests {
        self.requests.requests()
    }
}

/// What an unsuccessful answer to a conditional create means.
fn verdict(reached: Reached) -> Verdict {
    match reached {
        Reached::NotSent => Verdict::Refused,
        Reached::Answered(304 | 412) => Verdict::Exists,
        // 409 is a race that may have left nothing; 408, 429 and 5xx may come from a machine that did not see
        // the end of what another one did.
        Reached::Answered(408 | 409 | 429) => Verdict::Open,
        Reached::Answered(400..=499) => Verdict::Refused,
        Reached::NoAnswer | Reached::Answered(_) => Verdict::Open,
    }
}

/// Whether asking again may help.
fn may_repeat(reached: Reached) -> bool {
    match reached {
        Reached::NotSent | Reached::NoAnswer => true,
        // A 2xx whose body broke off, too.
        Reached::Answered(status) => matches!(status, 200..=299 | 408 | 409 | 429 | 500..=599),
    }
}

fn changed(key: &str, (error, reached): (BoxError, Reached)) -> StoreError {
    match verdict(reached) {
        Verdict::Refused => StoreError::definite(key, error),
        Verdict::Open | Verdict::Exists => StoreError::unknown(key, error),
    }
}

/// How often one request is made.
const ATTEMPTS_MAX: u32 = 4;
/// The longest pause before the second attempt.
const PAUSE_MS_FIRST: u64 = 200;
/// The longest pause at all.
const PAUSE_MS_MAX: u64 = 2_000;

#[cfg(test)]
mod tests;
