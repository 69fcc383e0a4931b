//! The embedded browser page.
//!
//! **Promise.** The page runs under a policy that lets it load nothing from elsewhere, run no inline
//! script and be framed by nobody: a log line that is markup stays text even if the page slips.

use axum::body::Body;
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG, IF_NONE_MATCH, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode};

use super::ApiError;

/// One file of the built page.
pub(crate) struct Asset {
    /// Where it is served: `/index.html`, `/assets/…`.
    pub(crate) path: &'static str,
    /// Its media type.
    pub(crate) content_type: &'static str,
    /// The bytes.
    pub(crate) body: &'static [u8],
    /// Quoted digest of the bytes.
    pub(crate) etag: &'static str,
}

#[cfg(feature = "page")]
include!(concat!(env!("OUT_DIR"), "/page_assets.rs"));

#[cfg(not(feature = "page"))]
static ASSETS: &[Asset] = &[];

/// Answers a GET that no route of the API took.
///
/// # Errors
/// 404 below `/api/`, for unknown assets, and when this binary was built without the page.
pub(crate) fn serve(path: &str, headers: &HeaderMap) -> Result<Response<Body>, ApiError> {
    let asset = find(path).ok_or_else(|| not_found(path))?;
    let mut response = if is_known(headers, asset.etag) {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = StatusCode::NOT_MODIFIED;
        response
    } else {
        Response::new(Body::from(asset.body))
    };
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(asset.content_type));
    headers.insert(ETAG, HeaderValue::from_static(asset.etag));
    // Names under /assets/ change with their content; the page itself must be asked for each time.
    let keep = if asset.path.starts_with("/assets/") { KEEP_FOREVER } else { "no-cache" };
    headers.insert(CACHE_CONTROL, HeaderValue::from_static(keep));
    Ok(response)
}

/// Adds the headers that every answer carries, whatever it is.
pub(crate) fn harden(headers: &mut HeaderMap) {
    for (name, value) in HARDENING {
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    }
}

/// The page keeps its state in the address bar, so every path without a dot is the page.
fn find(path: &str) -> Option<&'static Asset> {
    let exact = ASSETS.iter().find(|asset| asset.path == path);
    let of_the_page = !path.starts_with("/api/") && !path.contains('.');
    exact.or_else(|| ASSETS.iter().find(|asset| of_the_page && asset.path == "/index.html"))
}

fn not_found(path: &str) -> ApiError {
    if path == "/" && ASSETS.is_empty() {
        let message = "this binary was built without the page: build it with the default features";
        return ApiError::new(StatusCode::NOT_FOUND, "no_page", message);
    }
    nothing_here()
}

/// 404.
pub(crate) fn nothing_here() -> ApiError {
    ApiError::new(
        StatusCode::NOT_FOUND,
        "not_found",
        "there is nothing here: GET /api/openapi.json lists what there is",
    )
}

fn is_known(headers: &HeaderMap, etag: &str) -> bool {
    let known = headers.get(IF_NONE_MATCH).and_then(|value| value.to_str().ok()).unwrap_or_default();
    known.split(',').any(|known| known.trim().trim_start_matches("W/") == etag)
}

const KEEP_FOREVER: &str = "public, max-age=31536000, immutable";
const HARDENING: [(HeaderName, &str); 3] = [
    (
        CONTENT_SECURITY_POLICY,
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; \
         font-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    ),
    (X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (REFERRER_POLICY, "no-referrer"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_path_of_the_api_is_never_the_page() {
        assert_eq!(serve("/api/serch", &HeaderMap::new()).unwrap_err().status(), StatusCode::NOT_FOUND);
        assert_eq!(serve("/assets/none.js", &HeaderMap::new()).unwrap_err().status(), StatusCode::NOT_FOUND);
    }

    #[test]
    fn every_answer_carries_the_policy() {
        let mut headers = HeaderMap::new();
        harden(&mut headers);
        let policy = headers[CONTENT_SECURITY_POLICY].to_str().unwrap();
        assert!(policy.starts_with("default-src 'none'; script-src 'self';") && !policy.contains("unsafe"));
        assert_eq!(headers.len(), 3);
    }
}
