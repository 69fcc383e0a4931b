import react from "@vitejs/plugin-react";
import { defineConfig } from "vitest/config";

// The page is served under a policy without inline script, inline style or data: fonts,
// so nothing may be inlined into the document or the style sheets.
export default defineConfig({
  plugins: [react()],
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
