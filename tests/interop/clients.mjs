// The client of the library `ws`, against `wirehook echo --compress`, with every kind of agreement.
//
//     node clients.mjs URL
//
// Each check is one line; exit status 0 if all passed, 1 if one has failed.

import { randomBytes } from "node:crypto";
import { createRequire } from "node:module";

// The library is where `run` has installed it, not beside this file.
const WebSocket = createRequire(process.env.INTEROP_MODULES)("ws");
const [url] = process.argv.slice(2);
const limit = 20_000;
let failures = 0;

function check(name, passed, detail) {
  failures += !passed;
  console.log(`interop: ${passed ? "ok" : "FAILED"}: ${name}${passed ? "" : `: ${detail}`}`);
}

function messages() {
  const rows = Array.from({ length: 200 }, (_, id) => ({ id, name: `user${id}`, tags: ["a", "b"] }));
  const text = JSON.stringify(rows);
  return [
    "", "short", text.slice(0, 100), text.slice(0, 100), text, text, "ümläut ✓ ".repeat(500),
    Buffer.alloc(0), randomBytes(10), randomBytes(70_000), Buffer.alloc(200_000),
    ...rows.slice(0, 20).map((row) => JSON.stringify(row)),
  ];
}

/** Sends each message and waits for its echo. Returns how many were wrong. */
function exchange(options) {
  return new Promise((resolve, reject) => {
    const ws = new WebSocket(url, { perMessageDeflate: { threshold: 0, ...options } });
    const timer = setTimeout(() => reject(new Error("no answer in time")), limit);
    const all = messages();
    let at = 0;
    let wrong = 0;
    const send = () => (at < all.length ? ws.send(all[at]) : ws.close(1000));
    ws.on("open", send);
    ws.on("message", (data, isBinary) => {
      const sent = all[at++];
      const expected = Buffer.from(sent);
      wrong += isBinary !== (typeof sent !== "string") || !expected.equals(data);
      send();
    });
    ws.on("close", () => {
      clearTimeout(timer);
      resolve({ agreed: ws.extensions, wrong: wrong + all.length - at });
    });
    ws.on("error", reject);
  });
}

async function run(name, options) {
  try {
    const { agreed, wrong } = await exchange(options);
    check(name, agreed.startsWith("permessage-deflate") && wrong === 0, `${agreed}, ${wrong} wrong echoes`);
  } catch (error) {
    check(name, false, error);
  }
}

// `undefined` leaves the choice to the server; with `false` the library fails at a server that asks for it.
for (const serverNoContextTakeover of [undefined, true]) {
  for (const clientNoContextTakeover of [undefined, true]) {
    const name = `ws, no takeover of server ${serverNoContextTakeover}, of client ${clientNoContextTakeover}`;
    await run(name, { serverNoContextTakeover, clientNoContextTakeover });
  }
}
for (let bits = 9; bits <= 15; bits++) {
  await run(`ws, windows of ${bits} bits`, { serverMaxWindowBits: bits, clientMaxWindowBits: bits });
}
process.exit(failures > 0 ? 1 : 0);
