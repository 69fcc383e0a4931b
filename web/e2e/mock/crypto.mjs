/** Answers of `/api/admin/crypto`, by name. */

const service = (algorithm, purpose, bound) => ({ algorithm, purpose, bound });
const hash = (algorithm, purpose, reason) => ({ algorithm, purpose, reason });
const none = () => ({ negotiated: [], refused: 0 });

/** A default build without TLS, alone. */
const plain = () => ({
  version: "0.1.0",
  build: "default",
  profile: "none",
  module: "AWS-LC, not in its validated form",
  module_expected: null,
  certificate: "none: this build does not use the validated module",
  claim: "nothing: this build does not use the validated module",
  approved_mode: false,
  self_tests: "none",
  service_indicator: "none in this build",
  every_part_on_module: false,
  tls: {
    fips: false,
    versions: ["TLSv1_3", "TLSv1_2"],
    suites: ["TLS13_AES_256_GCM_SHA384", "TLS13_AES_128_GCM_SHA256", "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384", "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384", "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256", "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256"],
    groups: ["secp256r1", "secp384r1", "X25519MLKEM768"],
    extended_master_secret: "required",
    rsa_bits_min: 2048,
  },
  services: [
    service("CTR_DRBG (AES-256)", "keys, nonces, ids, everything that is drawn", "seeded by the operating system"),
    service("AES-256-GCM", "seals control documents", "nonces are made by the module; at most 4294967296 seals a key in one life of the process"),
    service("SHA-256", "digests that vouch for history, fingerprints of certificates, signed requests", "none"),
    service("HMAC-SHA256", "signs requests to the object store", "keys of at least 14 bytes"),
    service("TLS 1.3, TLS 1.2", "the TLS port, the object store", "extended master secret; RSA of at least 2048 bits; no ChaCha20, no X25519 alone"),
  ],
  other_hashes: [
    hash("CRC-32C", "records of the write-ahead log", "finds bytes that rotted or were torn, by accident; who can write to the disk can write the checksum too"),
    hash("XXH3", "parts of blocks; filters; cursors; keys of caches", "finds accidents and spreads values; what vouches for history is SHA-256 in the manifests"),
    hash("MD5", "linked by the client of the object store, for a header of customer keys", "that header is never sent, so the code is never reached"),
  ],
  problems: [],
  listeners: [{ addr: "127.0.0.1:7300", tls: false }],
  connections: { incoming: none(), outgoing: none() },
  keys: [],
  warnings: [],
});

const DAY_S = 86_400;
const ago = (seconds) => new Date(Date.now() - seconds * 1000).toISOString();
const key = (purpose, id, algorithm, sinceIs, age, seals) => ({ purpose, id, algorithm, since: age === null ? null : ago(age), since_is: sinceIs, age_s: age, not_before: null, not_after: null, seals, seals_max: seals === null ? null : 4_294_967_296 });

/** A FIPS build in a cluster, with TLS in and out. Connections and seals grow, as they do. */
const fips = () => {
  const base = plain();
  const asked = Math.floor(Date.now() / 1000) % 100_000;
  return {
    ...base,
    build: "fips",
    profile: "default",
    module: "AWS-LC FIPS 3.6.0",
    module_expected: "AWS-LC FIPS 3.6.0",
    certificate: "update stream of CMVP #5314",
    claim: "uses cryptography of AWS-LC FIPS 3.6.0, which is an update stream of CMVP #5314 (AWS-LC FIPS 3.1.0) and has no certificate of its own",
    approved_mode: true,
    self_tests: "passed",
    service_indicator: "read around every call, but for those that rustls makes for TLS",
    every_part_on_module: true,
    tls: { ...base.tls, fips: true },
    listeners: [{ addr: "10.0.0.11:7300", tls: false }, { addr: "10.0.0.11:7443", tls: true }],
    connections: {
      incoming: {
        negotiated: [
          { version: "TLSv1_2", suite: "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384", group: "secp256r1", connections: 14 },
          { version: "TLSv1_3", suite: "TLS13_AES_256_GCM_SHA384", group: "X25519MLKEM768", connections: 18_422 + asked },
          { version: "TLSv1_3", suite: "TLS13_AES_256_GCM_SHA384", group: "resumed", connections: 920 },
        ],
        refused: 3,
      },
      outgoing: { negotiated: [{ version: "TLSv1_3", suite: "TLS13_AES_128_GCM_SHA256", group: "secp256r1", connections: 204 }], refused: 0 },
    },
    keys: [
      key("seals control documents", "7f3a9c01d2b4e586", "AES-256-GCM", "made", 41 * DAY_S, 84_210 + asked),
      { ...key("TLS listener", "5be01f7c22a9d3400b7de2f1c3a49856c4e8a90b17d26f353f9c01d2a4b5e677", "ECDSA", "in_use", 2 * DAY_S, null), not_before: ago(3 * DAY_S), not_after: ago(-87 * DAY_S) },
    ],
  };
};

/** A FIPS build in which something is wrong, and a key that has hardly a seal left. */
const troubled = () => {
  const well = fips();
  return { ...well, every_part_on_module: false, problems: ["a part of this server does not stand on the module"], keys: [{ ...well.keys[0], since: null, since_is: "in_use", age_s: null, seals: 4_200_000_000 }, well.keys[1]] };
};

export const CRYPTO = { plain, fips, troubled };
