//! The shape of what is said of cryptography.

use serde_json::{Value, json};

use super::{Shape, described, flag, list, nullable, text, time, warnings, whole};

pub(super) fn answer() -> Value {
    let service = Shape::new().with("algorithm", text()).with("purpose", text()).with("bound", text()).build();
    let hash = Shape::new().with("algorithm", text()).with("purpose", text()).with("reason", text()).build();
    let listener = Shape::new()
        .with("addr", text())
        .with("tls", described(flag(), "Whether it takes TLS alone; else it is in the clear."))
        .build();
    let connections = Shape::new().with("incoming", counts()).with("outgoing", counts()).build();
    Shape::new()
        .with("version", text())
        .with("build", json!({"type": "string", "enum": ["default", "fips"]}))
        .with("profile", described(text(), "The profile that pins the module; `none` in a default build."))
        .with("module", described(text(), "What the module says of itself."))
        .with("module_expected", described(nullable(text()), "What it must say; null in a default build."))
        .with("certificate", text())
        .with("claim", described(text(), "What may be claimed of this build, and no more."))
        .with("approved_mode", flag())
        .with("self_tests", json!({"type": "string", "enum": ["passed", "failed", "none"]}))
        .with("service_indicator", text())
        .with("every_part_on_module", described(flag(), "Whether every part stands on the validated module."))
        .with("tls", tls())
        .with("services", described(list(service), "What the module is used for."))
        .with("other_hashes", described(list(hash), "Hashes that protect nothing and do not come from the module."))
        .with("problems", described(list(text()), "What is not as it must be."))
        .with("listeners", list(listener))
        .with("connections", described(connections, "TLS since the start of the process."))
        .with("keys", list(key()))
        .with("warnings", warnings())
        .build()
}

fn tls() -> Value {
    Shape::new()
        .with("fips", flag())
        .with("versions", list(text()))
        .with("suites", list(text()))
        .with("groups", list(text()))
        .with("extended_master_secret", text())
        .with("rsa_bits_min", whole())
        .build()
}

fn counts() -> Value {
    let negotiated = Shape::new()
        .with("version", text())
        .with("suite", text())
        .with("group", described(text(), "Of the key exchange; `resumed` where there was none."))
        .with("connections", whole())
        .build();
    Shape::new()
        .with("negotiated", list(negotiated))
        .with("refused", described(whole(), "Handshakes that failed or did not end."))
        .build()
}

fn key() -> Value {
    Shape::new()
        .with("purpose", text())
        .with("id", described(text(), "Of a certificate: its SHA-256."))
        .with("algorithm", text())
        .with("since", described(nullable(time()), "When it was made, or since when it is in use."))
        .with("since_is", json!({"type": "string", "enum": ["made", "in_use"]}))
        .with("age_s", nullable(whole()))
        .with("not_before", described(nullable(time()), "Of a certificate: clients refuse it before."))
        .with("not_after", described(nullable(time()), "Of a certificate: clients refuse it after."))
        .with("seals", described(nullable(whole()), "How often it has sealed in this life of the process."))
        .with("seals_max", described(nullable(whole()), "How often it may."))
        .build()
}
