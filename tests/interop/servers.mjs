// An echo of the library `ws`: prints its URL, and runs until its standard input ends.
//
//     node servers.mjs [OPTIONS OF perMessageDeflate AS JSON]

import { createRequire } from "node:module";

const { WebSocketServer } = createRequire(process.env.INTEROP_MODULES)("ws");

const perMessageDeflate = JSON.parse(process.argv[2] ?? "{}");
const server = new WebSocketServer({ host: "127.0.0.1", port: 0, perMessageDeflate });
server.on("connection", (socket) => {
  socket.on("message", (data, isBinary) => socket.send(data, { binary: isBinary, compress: true }));
});
server.on("listening", () => console.log(`ws://127.0.0.1:${server.address().port}/`));
process.stdin.on("end", () => process.exit(0)).resume();
