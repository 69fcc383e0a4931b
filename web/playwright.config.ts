import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { defineConfig } from "@playwright/test";

// The journeys run against HELIOS_URL, or a server that HELIOS_BIN starts on an empty folder, or the mock server.
// What only the mock can be made to do (a search that never ends, a server without events) always runs against it.
const MOCK_PORT = 7397;
const SERVER_PORT = 7398;
export const MOCK_URL = `http://127.0.0.1:${MOCK_PORT}`;

const { HELIOS_URL, HELIOS_BIN } = process.env;
const url = HELIOS_URL ?? (HELIOS_BIN ? `http://127.0.0.1:${SERVER_PORT}` : MOCK_URL);

const mock = { command: `node e2e/mock-server.mjs --port ${MOCK_PORT} --dist node_modules/.cache/page`, url: MOCK_URL, reuseExistingServer: false };
const server = { command: `"${HELIOS_BIN}" serve --data-dir "${HELIOS_BIN && !HELIOS_URL ? mkdtempSync(join(tmpdir(), "helios-e2e-")) : ""}" --port ${SERVER_PORT}`, url: `${url}/readyz`, reuseExistingServer: false };

export default defineConfig({
  testDir: "e2e",
  fullyParallel: true,
  forbidOnly: true,
  retries: 0,
  workers: 2,
  timeout: 60_000,
  expect: { timeout: 8_000 },
  reporter: [["list"]],
  outputDir: "node_modules/.cache/playwright",
  webServer: HELIOS_BIN && !HELIOS_URL ? [mock, server] : [mock],
  use: {
    baseURL: url,
    locale: "en-US",
    timezoneId: "Europe/Berlin",
    viewport: { width: 1440, height: 900 },
    colorScheme: "light",
    permissions: ["clipboard-read", "clipboard-write"],
    launchOptions: {
      executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
      args: ["--no-sandbox", "--headless", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"],
    },
  },
});
