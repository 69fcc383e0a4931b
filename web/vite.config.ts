import { gzipSync } from "node:zlib";
import react from "@vitejs/plugin-react";
import type { Plugin } from "vite";
import { defineConfig } from "vitest/config";

// The page is served under a policy without inline script, inline style or data: fonts,
// so nothing may be inlined into the document or the style sheets.
export default defineConfig({
  plugins: [react(), sizeLimit()],
  build: {
    outDir: "dist",
    emptyOutDir: true,
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    target: "es2022",
    reportCompressedSize: true,
  },
  server: { proxy: { "/api": process.env.HELIOS_URL ?? "http://127.0.0.1:7300" } },
  test: { environment: "node", include: ["src/**/*.test.{ts,tsx}"], restoreMocks: true, css: false },
});

/** All script of the page, each file compressed as it is sent. */
const SCRIPT_GZIP_BYTES_MAX = 250_000;

/** Stops a build whose script has grown over the limit. */
function sizeLimit(): Plugin {
  return {
    name: "helios-size-limit",
    generateBundle(_options, bundle) {
      const sizes = Object.values(bundle).map((file) => (file.type === "chunk" ? gzipSync(file.code, { level: 9 }).length : 0));
      const sum = sizes.reduce((a, b) => a + b, 0);
      if (sum > SCRIPT_GZIP_BYTES_MAX) this.error(`the page's script is ${sum} bytes compressed; ${SCRIPT_GZIP_BYTES_MAX} are allowed`);
      this.info(`script: ${sum} of ${SCRIPT_GZIP_BYTES_MAX} bytes compressed`);
    },
  };
}
