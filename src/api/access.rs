//! Who asks, and what they may see: the one place where a request gets its principal.
//!
//! **Promise.** No handler runs before [`Door::admit`] has let the request in, and what a handler reads goes
//! through the [`Access`] that came with the principal. There is no login yet, so everybody is let in
//! as [`Principal::Anyone`] and may see everything; what protects the server meanwhile is that it
//! listens on loopback only, answers to its own names only (else a foreign page could rebind its name
//! to 127.0.0.1 and read everything through the user's browser), and refuses requests that a browser
//! sends on behalf of another site.
//!
//! **Boundary.** Looks at headers only, never at bodies.

use std::net::{IpAddr, SocketAddr};

use axum::http::header::{HOST, ORIGIN};
use axum::http::{HeaderMap, StatusCode};

use super::ApiError;
use crate::query::Access;

/// Who asks.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Principal {
    /// Anybody who reaches the port: there is no login yet.
    Anyone,
}

/// What is asked for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Asked {
    /// Data, or a change: never on behalf of another site's page.
    Api,
    /// The page itself, to which a link from anywhere may lead.
    Page,
}

/// What decides whether a request is let in.
#[derive(Clone, Debug)]
pub struct Door {
    local_names_only: bool,
    allowed_hosts: Vec<String>,
}

impl Door {
    /// The door of a server that listens on `listen`.
    ///
    /// # Errors
    /// If `listen` is beyond loopback and nobody said that this is meant.
    pub fn new(listen: SocketAddr, insecure_no_auth: bool, allowed_hosts: Vec<String>) -> Result<Self, Refusal> {
        let loopback = listen.ip().is_loopback();
        if !loopback && !insecure_no_auth {
            return Err(Refusal { address: listen.ip() });
        }
        // Beyond loopback the names under which the machine is reached are not known here.
        let local_names_only = loopback || !allowed_hosts.is_empty();
        Ok(Self { local_names_only, allowed_hosts })
    }

    /// Lets a request in, or says why not.
    ///
    /// # Errors
    /// 403 if the host name is not ours or another site's page sent the request.
    pub fn admit(&self, asked: Asked, headers: &HeaderMap) -> Result<Principal, ApiError> {
        let host = header(headers, HOST.as_str());
        if self.local_names_only && !host.is_none_or(|host| self.is_ours(host)) {
            return Err(forbidden("host_not_allowed", HOST_REFUSED));
        }
        if asked == Asked::Api && is_cross_site(headers, host) {
            return Err(forbidden("cross_site", CROSS_SITE_REFUSED));
        }
        Ok(Principal::Anyone)
    }

    fn is_ours(&self, host: &str) -> bool {
        let name = host_name(host);
        LOCAL_NAMES.iter().any(|local| local.eq_ignore_ascii_case(name))
            || name.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
            || self.allowed_hosts.iter().any(|allowed| allowed.eq_ignore_ascii_case(name))
    }
}

/// Which partitions a principal may read. Every reading route asks here.
pub fn of(principal: Principal) -> Access {
    match principal {
        Principal::Anyone => Access::All,
    }
}

/// The server may not listen there.
#[derive(Debug, thiserror::Error)]
#[error(
    "refusing to listen on {address}: this version has no login, so everybody who reaches the port could read \
     and write everything. Listen on 127.0.0.1, or give --insecure-no-auth if the network around it is trusted"
)]
pub struct Refusal {
    address: IpAddr,
}

/// Whether a browser says that another site's page makes this request. Programs send neither header.
fn is_cross_site(headers: &HeaderMap, host: Option<&str>) -> bool {
    if let Some(site) = header(headers, "sec-fetch-site") {
        return !matches!(site, "same-origin" | "none");
    }
    match header(headers, ORIGIN.as_str()) {
        None => false,
        Some(origin) => {
            let authority = origin.split_once("://").map(|(_, authority)| authority);
            !matches!((authority, host), (Some(authority), Some(host)) if authority.eq_ignore_ascii_case(host))
        }
    }
}

/// A header's text; one that is not visible ASCII counts as a name that nobody has.
fn header<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).map(|value| value.to_str().unwrap_or("?"))
}

/// The name in a `Host` header, without port and brackets.
fn host_name(host: &str) -> &str {
    if let Some(rest) = host.strip_prefix('[') {
        return rest.split(']').next().unwrap_or_default();
    }
    host.split(':').next().unwrap_or_default()
}

fn forbidden(code: &'static str, message: &str) -> ApiError {
    ApiError::new(StatusCode::FORBIDDEN, code, message)
}

const LOCAL_NAMES: [&str; 1] = ["localhost"];
const HOST_REFUSED: &str =
    "this server answers to localhost and its loopback address only: name other hosts with --allowed-hosts";
const CROSS_SITE_REFUSED: &str = "a page of another site may not use this server";

#[cfg(test)]
mod tests {
    use super::*;

    fn door(listen: &str, insecure: bool, allowed: &[&str]) -> Result<Door, Refusal> {
        Door::new(listen.parse().unwrap(), insecure, allowed.iter().map(|name| (*name).to_owned()).collect())
    }

    fn admitted(door: &Door, headers: &[(&'static str, &str)]) -> Result<(), &'static str> {
        let headers = headers.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect();
        door.admit(Asked::Api, &headers).map(|_| ()).map_err(|error| error.code())
    }

    #[test]
    fn beyond_loopback_nothing_listens_unless_told_so() {
        for open in ["0.0.0.0:7300", "[::]:7300", "10.0.0.1:7300"] {
            assert!(door(open, false, &[]).unwrap_err().to_string().contains("--insecure-no-auth"), "{open}");
            assert!(door(open, true, &[]).is_ok(), "{open}");
        }
        for closed in ["127.0.0.1:0", "127.0.0.9:1", "[::1]:7300"] {
            assert!(door(closed, false, &[]).is_ok(), "{closed}");
        }
    }

    #[test]
    fn a_rebound_name_is_refused_on_loopback() {
        let door = door("127.0.0.1:7300", false, &["logs.example"]).unwrap();
        for ours in ["localhost:7300", "LOCALHOST", "127.0.0.1:7300", "[::1]:7300", "127.0.0.1", "logs.example:80"] {
            assert_eq!(admitted(&door, &[("host", ours)]), Ok(()), "{ours}");
        }
        for foreign in ["evil.example:7300", "localhost.evil.example", "10.0.0.1", "", "[", "127.0.0.1.evil.example"] {
            assert_eq!(admitted(&door, &[("host", foreign)]), Err("host_not_allowed"), "{foreign}");
        }
        assert_eq!(admitted(&door, &[]), Ok(()), "HTTP/1.0 has no host, and no browser speaks it");
    }

    #[test]
    fn a_link_from_elsewhere_leads_to_the_page_but_not_to_data() {
        let door = door("127.0.0.1:7300", false, &[]).unwrap();
        let headers = [("host", "localhost:7300"), ("sec-fetch-site", "cross-site")];
        let map = headers.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect();
        assert!(door.admit(Asked::Page, &map).is_ok());
        assert_eq!(admitted(&door, &headers), Err("cross_site"));
    }

    #[test]
    fn beyond_loopback_names_are_checked_only_if_some_are_given() {
        assert_eq!(admitted(&door("0.0.0.0:1", true, &[]).unwrap(), &[("host", "any.example")]), Ok(()));
        let named = door("0.0.0.0:1", true, &["logs.example"]).unwrap();
        assert_eq!(admitted(&named, &[("host", "any.example")]), Err("host_not_allowed"));
        assert_eq!(admitted(&named, &[("host", "logs.example")]), Ok(()));
    }

    #[test]
    fn another_sites_page_may_not_use_the_server() {
        let door = door("127.0.0.1:7300", false, &[]).unwrap();
        let host = ("host", "localhost:7300");
        assert_eq!(admitted(&door, &[host, ("sec-fetch-site", "same-origin")]), Ok(()));
        assert_eq!(admitted(&door, &[host, ("sec-fetch-site", "none")]), Ok(()));
        assert_eq!(admitted(&door, &[host, ("origin", "http://localhost:7300")]), Ok(()));
        for (name, value) in [
            ("sec-fetch-site", "cross-site"),
            ("sec-fetch-site", "same-site"),
            ("origin", "http://evil.example"),
            ("origin", "http://localhost:8080"),
            ("origin", "null"),
        ] {
            assert_eq!(admitted(&door, &[host, (name, value)]), Err("cross_site"), "{name}: {value}");
        }
    }
}
