import { readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { brotliCompressSync, constants, gzipSync } from "node:zlib";
import react from "@vitejs/plugin-react";
import type { Plugin } from "vite";
import { defineConfig } from "vitest/config";

// The page is served under a policy without inline script, inline style or data: fonts,
// so nothing may be inlined into the document or the style sheets.
export default defineConfig({
  plugins: [react(), compressed()],
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

/** All script of the page, each file as it is sent to a browser that takes brotli: every current one, over TLS and at home. */
const SCRIPT_BYTES_MAX = 250_000;

/** Files below this are sent as they are: a packet is a packet. */
const COMPRESS_BYTES_MIN = 1_000;

/** What gains by being compressed; fonts and images are compressed already. */
const TEXT = /\.(css|html|js|json|svg|txt|webmanifest)$/;

/** Puts `name.br` and `name.gz` beside each text of the page, once and at the highest level: the server sends what the browser takes. */
function compressed(): Plugin {
  return {
    name: "helios-compressed",
    apply: "build",
    enforce: "post",
    async writeBundle({ dir }) {
      if (dir === undefined) return;
      const names = await readdir(dir, { recursive: true });
      let script = 0;
      for (const name of names.filter((name) => TEXT.test(name))) {
        const file = join(dir, name);
        const bytes = await readFile(file);
        const brotli = brotliCompressSync(bytes, { params: { [constants.BROTLI_PARAM_SIZE_HINT]: bytes.length } });
        if (name.endsWith(".js")) script += brotli.length;
        if (bytes.length < COMPRESS_BYTES_MIN) continue;
        await writeFile(`${file}.br`, brotli);
        await writeFile(`${file}.gz`, gzipSync(bytes, { level: constants.Z_BEST_COMPRESSION }));
      }
      if (script > SCRIPT_BYTES_MAX) this.error(`the page's script is ${script} bytes compressed; ${SCRIPT_BYTES_MAX} are allowed`);
      this.info(`script: ${script} of ${SCRIPT_BYTES_MAX} bytes compressed`);
    },
  };
}
