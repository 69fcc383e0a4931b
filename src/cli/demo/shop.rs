//! The made-up shop: its services, routes, machines, and what each of them says.

use super::text::Template;

/// The services that serve requests, and those that only appear in scenes. Lines name them by index.
pub(super) const SERVICES: &[&str] = &[
    "gateway",
    "catalog",
    "search",
    "cart",
    "checkout",
    "payments",
    "inventory",
    "shipping",
    "auth",
    "ci",
    "deployer",
    "config",
    "alerting",
    "oncall",
];

const GATEWAY: usize = 0;
const CATALOG: usize = 1;
const SEARCH: usize = 2;
const CART: usize = 3;
pub(super) const CHECKOUT: usize = 4;
pub(super) const PAYMENTS: usize = 5;
const INVENTORY: usize = 6;
const SHIPPING: usize = 7;
const AUTH: usize = 8;

pub(super) const LEVELS: &[&str] = &["debug", "info", "warn", "error"];
pub(super) const DEBUG: usize = 0;
pub(super) const INFO: usize = 1;
pub(super) const WARN: usize = 2;
pub(super) const ERROR: usize = 3;

/// One kind of request.
pub(super) struct Route {
    pub(super) method: &'static str,
    /// Of 100 requests, about so many.
    weight: u64,
    /// The services that write a line, in the order in which they end.
    pub(super) hops: &'static [usize],
    /// Where its paths begin in the table of paths, and how many they are.
    pub(super) first_path: usize,
    pub(super) paths: usize,
}

/// What one service says, and how long it takes in calm times.
pub(super) struct Voice {
    pub(super) done: Vec<Template>,
    pub(super) slow: Vec<Template>,
    pub(super) failed: Vec<Template>,
    /// Tenths of milliseconds: at least, and spread above that.
    pub(super) base: u64,
    pub(super) spread: u64,
    /// What `error.kind` says.
    pub(super) kind: &'static str,
}

/// A machine's own log, outside the services.
pub(super) struct Machine {
    pub(super) source: &'static str,
    pub(super) says: Vec<Template>,
}

/// All tables, read once.
pub(super) struct Shop {
    pub(super) routes: Vec<Route>,
    pub(super) paths: Vec<String>,
    /// By index of the service; those of scenes have none.
    pub(super) voices: Vec<Voice>,
    pub(super) machines: Vec<Machine>,
    weights: u64,
}

impl Shop {
    pub(super) fn new() -> Self {
        let mut shop =
            Self { routes: Vec::new(), paths: Vec::new(), voices: voices(), machines: machines(), weights: 0 };
        shop.add("GET", 34, &[CATALOG, GATEWAY], "/api/products/", 2_000);
        shop.add("GET", 17, &[SEARCH, GATEWAY], "/api/search", 1);
        shop.add("GET", 12, &[CATALOG, GATEWAY], "/api/categories/", 40);
        shop.add("POST", 11, &[INVENTORY, CART, GATEWAY], "/api/cart/items", 1);
        shop.add("GET", 8, &[CART, GATEWAY], "/api/cart", 1);
        shop.add("POST", 7, &[AUTH, GATEWAY], "/api/login", 1);
        shop.add("POST", 6, &[INVENTORY, PAYMENTS, CHECKOUT, GATEWAY], "/api/orders", 1);
        shop.add("GET", 3, &[SHIPPING, CHECKOUT, GATEWAY], "/api/orders/status", 1);
        shop.add("GET", 2, &[GATEWAY], "/assets/app.js", 1);
        shop
    }

    /// The route of a number below [`Shop::weights`].
    pub(super) fn route(&self, mut pick: u64) -> &Route {
        for route in &self.routes {
            if pick < route.weight {
                return route;
            }
            pick -= route.weight;
        }
        unreachable!("a pick lies below the sum of the weights")
    }

    pub(super) fn weights(&self) -> u64 {
        self.weights
    }

    fn add(&mut self, method: &'static str, weight: u64, hops: &'static [usize], path: &str, paths: usize) {
        self.routes.push(Route { method, weight, hops, first_path: self.paths.len(), paths });
        self.weights += weight;
        if paths == 1 {
            self.paths.push(path.to_owned());
        } else {
            self.paths.extend((0..paths).map(|n| format!("{path}{}", 100 + n)));
        }
    }
}

fn voices() -> Vec<Voice> {
    let voice = |script: &Script| Voice {
        done: templates(script.done),
        slow: templates(script.slow),
        failed: templates(script.failed),
        base: script.base,
        spread: script.spread,
        kind: script.kind,
    };
    SCRIPTS.iter().map(voice).collect()
}

fn machines() -> Vec<Machine> {
    let machine = |source, says: &[_]| Machine { source, says: templates(says) };
    vec![
        machine(
            "nginx",
            &[
                "{ip} - - \\\"GET /assets/img/{x8}.webp HTTP/1.1\\\" 200 {s90000} \\\"-\\\" \\\"Mozilla/5.0\\\"",
                "{ip} - - \\\"GET /healthz HTTP/1.1\\\" 200 2 \\\"-\\\" \\\"probe/1.4\\\"",
            ],
        ),
        machine(
            "postgres",
            &[
                "statement took {took} ms: select * from orders where id = $1",
                "statement took {took} ms: update stock set held = held + $1 where sku = $2",
                "automatic vacuum of table shop.public.carts: removed {s9000} rows",
                "checkpoint complete: wrote {s30000} buffers, took {took} ms",
            ],
        ),
        machine(
            "kernel",
            &[
                "eth0: link is up at 10000 Mbps, flow control off",
                "TCP: request_sock_TCP: possible SYN flooding on port {d9000}",
                "nvme0n1: I/O {d900} QID {d32} completed after {s90} ms",
            ],
        ),
        machine(
            "kubelet",
            &[
                "pod shop/catalog-{x8}-{x8} became ready",
                "probe of shop/cart-{x8} succeeded in {s40} ms",
                "image registry.shop.example/search@{x16} is present on the node",
            ],
        ),
        machine(
            "blobstore",
            &[
                "compaction of segment {d90000} finished, {s900} MiB to {s400} MiB",
                "segment {d90000} opened, {s90000} keys",
                "background compaction waits: {d8} running",
            ],
        ),
        machine(
            "sshd",
            &[
                "Accepted publickey for deploy from {ip} port {d60000} ssh2",
                "Connection closed by {ip} port {d60000} [preauth]",
            ],
        ),
    ]
}

fn templates(texts: &[&'static str]) -> Vec<Template> {
    texts.iter().map(|text| Template::new(text)).collect()
}

/// A [`Voice`] as it is written down.
struct Script {
    kind: &'static str,
    base: u64,
    spread: u64,
    done: &'static [&'static str],
    slow: &'static [&'static str],
    failed: &'static [&'static str],
}

/// By index of the service.
const SCRIPTS: &[Script] = &[
    Script {
        kind: "UpstreamUnavailable",
        base: 30,
        spread: 900,
        done: &["request served, {s90000} bytes to {ip}", "request served from edge cache, {s9000} bytes to {ip}"],
        slow: &["slow upstream, {s90000} bytes to {ip}"],
        failed: &["upstream call failed, attempt {d3}, client {ip}", "no healthy upstream for the route, client {ip}"],
    },
    Script {
        kind: "CacheMiss",
        base: 12,
        spread: 300,
        done: &[
            "product page built from {s40} blocks",
            "cache hit for product block {x8}",
            "listing of {s60} products sorted by \\\"price\\\"",
        ],
        slow: &["cache miss, rebuilt {s40} blocks"],
        failed: &["template \\\"product-{d40}\\\" could not be rendered"],
    },
    Script {
        kind: "ShardTimeout",
        base: 60,
        spread: 2_400,
        done: &[
            "query \\\"{dish}\\\" found {s900} products",
            "query \\\"{dish}\\\" found nothing, suggested {d5} spellings",
        ],
        slow: &["query \\\"{dish}\\\" waited for shard {d12}"],
        failed: &["shard {d12} did not answer, partial result withheld"],
    },
    Script {
        kind: "Conflict",
        base: 18,
        spread: 400,
        done: &[
            "item sku-{s5000} added, cart of {s12} items",
            "cart priced at {eur} EUR",
            "voucher WELCOME-{d90} accepted",
        ],
        slow: &["cart locked by another request, retried"],
        failed: &["cart version conflict on {x16}"],
    },
    Script {
        kind: "PoolTimeout",
        base: 90,
        spread: 1_800,
        done: &["order {d90000000} placed: {s9} items, {eur} EUR", "order {d90000000} confirmed to the customer"],
        slow: &[
            "connection pool to payments exhausted: 8 of 8 in use, waited {s5000} ms",
            "order {d90000000} is waiting for payments",
        ],
        failed: &[
            "order {d90000000} failed: no connection to payments within 5000 ms",
            "payments call failed for order {d90000000}: pool timeout",
        ],
    },
    Script {
        kind: "ProviderTimeout",
        base: 140,
        spread: 2_600,
        done: &["card authorised: {eur} EUR by provider p{d4}", "authorisation {x16} captured"],
        slow: &["authorisation queued, {s400} before it"],
        failed: &[
            "authorisation {x16} timed out after 3000 ms",
            "request abandoned by the caller, {eur} EUR not captured",
        ],
    },
    Script {
        kind: "OutOfStock",
        base: 15,
        spread: 250,
        done: &["reserved {s5} of sku-{s5000} in hall {d9}", "stock of sku-{s5000} is {s400}"],
        slow: &["stock row locked, waited {s200} ms"],
        failed: &["reservation {x8} lost its lock"],
    },
    Script {
        kind: "CarrierError",
        base: 80,
        spread: 1_500,
        done: &["parcel {x16} is with the carrier", "label {d900000} printed in hall {d9}"],
        slow: &["carrier answered late"],
        failed: &["carrier refused label {d900000}"],
    },
    Script {
        kind: "InvalidCredentials",
        base: 50,
        spread: 700,
        done: &["login of a known device", "session {x16} renewed"],
        slow: &["password check took long"],
        failed: &["session store did not answer"],
    },
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_service_on_a_route_has_a_voice() {
        let shop = Shop::new();
        assert!(shop.routes.iter().flat_map(|route| route.hops).all(|hop| *hop < shop.voices.len()));
        assert!(
            shop.voices
                .iter()
                .all(|voice| !voice.done.is_empty() && !voice.slow.is_empty() && !voice.failed.is_empty())
        );
        assert_eq!(shop.route(0).paths, 2_000);
        assert_eq!(shop.route(shop.weights() - 1).method, "GET");
        assert_eq!(shop.paths.len(), shop.routes.iter().map(|route| route.paths).sum::<usize>());
    }
}
