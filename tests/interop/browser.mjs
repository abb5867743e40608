// Chromium's own client, against `wirehook echo --compress`.
//
//     node browser.mjs URL CHROMIUM
//
// Each check is one line; exit status 0 if all passed, 1 if one has failed.

import { createRequire } from "node:module";

const { chromium } = createRequire(process.env.INTEROP_MODULES)("playwright-core");
const [url, executablePath] = process.argv.slice(2);
const args = ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"];
const browser = await chromium.launch({ executablePath, args });
const page = await browser.newPage();

/** Runs in the page: sends texts and bytes, and waits for each echo. */
const exchange = (address) =>
  new Promise((resolve) => {
    const ws = new WebSocket(address);
    ws.binaryType = "arraybuffer";
    const rows = Array.from({ length: 200 }, (_, id) => ({ id, name: `user${id}`, tags: ["a", "b"] }));
    const text = JSON.stringify(rows);
    const noise = crypto.getRandomValues(new Uint8Array(60_000));
    const all = ["", "short", text, text, "ümläut ✓ ".repeat(500), noise, new Uint8Array(200_000), ...rows.map(String)];
    let at = 0;
    let wrong = 0;
    const send = () => (at < all.length ? ws.send(all[at]) : ws.close(1000));
    const isSame = (sent, data) =>
      typeof sent === "string"
        ? sent === data
        : data instanceof ArrayBuffer && new Uint8Array(data).every((byte, i) => byte === sent[i]) && data.byteLength === sent.length;
    ws.onopen = send;
    ws.onmessage = ({ data }) => {
      wrong += !isSame(all[at++], data);
      send();
    };
    ws.onclose = ({ code, wasClean }) => resolve({ agreed: ws.extensions, wrong, left: all.length - at, code, wasClean });
  });

const seen = await page.evaluate(exchange, url);
await browser.close();
const passed = seen.agreed.startsWith("permessage-deflate") && seen.wrong === 0 && seen.left === 0 && seen.code === 1000 && seen.wasClean;
console.log(`interop: ${passed ? "ok" : "FAILED"}: Chromium${passed ? "" : `: ${JSON.stringify(seen)}`}`);
process.exit(passed ? 0 : 1);
