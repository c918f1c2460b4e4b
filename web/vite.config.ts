import { defineConfig } from "vite";

// The dashboard is served by `sightline serve` from src/sightline/server/static, with a strict
// Content-Security-Policy: nothing is inlined, and all addresses are relative so that it also
// works below a path of a reverse proxy.
export default defineConfig({
  base: "./",
  build: {
    outDir: "../src/sightline/server/static",
    // public/.gitkeep is copied, so git's own copy of it survives.
    emptyOutDir: true,
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    target: "es2022",
  },
  css: {
    preprocessorOptions: {
      scss: {
        quietDeps: true,
        // Bootstrap 5.3 is written with @import; its own move to modules comes with 6.
        silenceDeprecations: ["import", "global-builtin", "color-functions", "if-function"],
      },
    },
  },
  server: { proxy: { "/api": "http://127.0.0.1:8000" } },
});
