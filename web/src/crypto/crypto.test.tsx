// @vitest-environment jsdom
import { cleanup, render, screen } from "@testing-library/react";
import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { afterEach, expect, it, vi } from "vitest";
import { api, ApiError } from "../api/client";
import type { CryptoAnswer, KeyInUse } from "../api/types";
import { SessionProvider } from "../state/session";
import { CryptoPage } from "./CryptoPage";
import { connections, showKeyAge, showSeals, showVersion, verdict } from "./verdict";

afterEach(cleanup);

const answer = (change: Partial<CryptoAnswer> = {}): CryptoAnswer => ({
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
  tls: { fips: false, versions: ["TLSv1_3", "TLSv1_2"], suites: ["TLS13_AES_256_GCM_SHA384"], groups: ["secp256r1"], extended_master_secret: "required", rsa_bits_min: 2048 },
  services: [{ algorithm: "SHA-256", purpose: "digests", bound: "none" }],
  other_hashes: [{ algorithm: "CRC-32C", purpose: "records", reason: "finds accidents" }],
  problems: [],
  listeners: [{ addr: "127.0.0.1:7300", tls: false }],
  connections: { incoming: { negotiated: [], refused: 0 }, outgoing: { negotiated: [], refused: 0 } },
  keys: [],
  warnings: [],
  ...change,
});

const FIPS: Partial<CryptoAnswer> = { build: "fips", profile: "default", claim: "uses cryptography of X, which has no certificate of its own", approved_mode: true, self_tests: "passed", every_part_on_module: true };

const key = (change: Partial<KeyInUse> = {}): KeyInUse => ({ purpose: "seals control documents", id: "k1", algorithm: "AES-256-GCM", since: "2026-06-14T10:00:00Z", since_is: "made", age_s: 3 * 86_400, not_before: null, not_after: null, seals: 12_345, seals_max: 4_294_967_296, ...change });

/** The cells of a table's rows, by the section that it is in. */
function rows(container: HTMLElement, id: string): (string | null)[][] {
  return [...container.querySelectorAll(`[aria-labelledby="crypto-${id}"] tbody tr`)].map((row) => [...row.children].map((cell) => cell.textContent));
}

async function show(what: CryptoAnswer) {
  vi.spyOn(api, "crypto").mockResolvedValue(what);
  const client = new QueryClient({ defaultOptions: { queries: { retry: false } } });
  const shown = render(<QueryClientProvider client={client}><SessionProvider><CryptoPage /></SessionProvider></QueryClientProvider>);
  await screen.findByTestId("verdict");
  return { ...shown, client };
}

it("a default build is no fault and no claim", () => {
  const said = verdict(answer());
  expect([said.tone, said.word]).toEqual(["plain", "This build does not use the validated module"]);
  expect(said.what).toContain("nothing may be claimed");
});

it("of a FIPS build the server's own claim is said, and no more", () => {
  const said = verdict(answer(FIPS));
  expect(said.tone).toBe("good");
  expect(said.what).toBe("HeliosLogs uses cryptography of X, which has no certificate of its own. That may be claimed of it, and no more.");
});

it("a problem outdoes what the build is, and a FIPS build with a part beside the module is never called good", () => {
  expect(verdict(answer({ problems: ["a part"] }))).toMatchObject({ tone: "error", short: "1 problem", problems: ["a part"] });
  expect(verdict(answer({ ...FIPS, problems: ["a", "b"] }))).toMatchObject({ tone: "error", short: "2 problems" });
  expect(verdict(answer({ ...FIPS, every_part_on_module: false })).tone).toBe("error");
});

it("connections in come before those out, each with the most used first", () => {
  const one = (suite: string, count: number) => ({ version: "TLSv1_3", suite, group: "resumed", connections: count });
  const list = connections(answer({ connections: { incoming: { negotiated: [one("a", 1), one("b", 9)], refused: 0 }, outgoing: { negotiated: [one("c", 50)], refused: 0 } } }));
  expect(list.map((c) => `${c.way} ${c.suite}`)).toEqual(["In b", "In a", "Out c"]);
});

it("versions are called as everywhere else, and an unknown one is left as it is", () => {
  expect(["TLSv1_3", "TLSv1_2", "unknown"].map(showVersion)).toEqual(["TLS 1.3", "TLS 1.2", "unknown"]);
});

it("an age says whether it is the key's or that of its use", () => {
  expect([key(), key({ since_is: "in_use", age_s: 7200 }), key({ since: null, age_s: null })].map(showKeyAge)).toEqual(["3 d old", "in use for 2 h", "not known"]);
});

it("seals are shown with how many there may be, and a key that is nearly or fully used up is remarked on", () => {
  expect(showSeals(key())).toEqual({ text: "12,345 of 4,294,967,296", share: "<0.1 %", remark: "" });
  expect([key({ seals: 95, seals_max: 100 }), key({ seals: 100, seals_max: 100 }), key({ seals: null, seals_max: null })].map((k) => showSeals(k).remark)).toEqual(["nearly used up", "used up: it seals no more", ""]);
});

it("without TLS, connections or keys each place says why it is empty", async () => {
  await show(answer());
  expect(screen.getByTestId("no-tls").textContent).toContain("--ssl-port 7443 --tls-cert");
  expect(screen.queryByText("None: no listener takes TLS.")).not.toBeNull();
  expect(screen.queryByText(/^None\. This server connects over TLS to an object store only/)).not.toBeNull();
  expect(screen.queryByText(/^None\. A node of a cluster has a key/)).not.toBeNull();
});

it("with a TLS listener nobody is told how to have one, and failed handshakes are counted", async () => {
  await show(answer({ listeners: [{ addr: "[::]:7443", tls: true }], connections: { incoming: { negotiated: [], refused: 1234 }, outgoing: { negotiated: [], refused: 0 } } }));
  expect(screen.queryByTestId("no-tls")).toBeNull();
  expect(screen.queryByText(/^None yet: nobody has connected/)).not.toBeNull();
  expect(screen.queryByText(/1,234 in, 0 out/)).not.toBeNull();
});

it("a key is shown by its whole id, its algorithm, its exact time and its seals", async () => {
  const id = "5be01f7c".repeat(8);
  const { container } = await show(answer({ keys: [key(), key({ purpose: "TLS listener", id, algorithm: "RSA", since_is: "in_use", seals: null, seals_max: null })] }));
  const [seals, listener] = rows(container, "keys");
  expect(seals).toEqual(["seals control documents", "k1", "AES-256-GCM", "3 d old", "12,345 of 4,294,967,296"]);
  expect(listener).toEqual(["TLS listener", id, "RSA", "in use for 3 d", "does not seal"]);
  expect(screen.getByText("3 d old").title).toContain("2026-06-14T10:00:00");
});

it("a hash that protects nothing is shown with its reason", async () => {
  const { container } = await show(answer());
  expect(rows(container, "hashes")).toEqual([["CRC-32C", "records", "finds accidents"]]);
});

it("a server that stops answering leaves what was known on the page, and says so", async () => {
  const { client } = await show(answer());
  vi.spyOn(api, "crypto").mockRejectedValue(new ApiError({ code: "unreachable", message: "The server does not answer." }, 0));
  await client.refetchQueries({ queryKey: ["crypto"] });
  await screen.findByText(/No answer; this is what was known at/);
  expect(screen.queryByTestId("verdict")).not.toBeNull();
});
