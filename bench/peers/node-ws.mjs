// ws on Node: `npm install --prefix bench/peers ws`. Started as `node node-ws.mjs PORT echo|compressed`.
//
// With a limit above the largest messages of any row. `compressed` takes no context over and compresses from 64 bytes on, with
// its own level; `echo` is without permessage-deflate, which it leaves off by default.

import { WebSocketServer } from 'ws';

const compressed = { threshold: 64, serverNoContextTakeover: true, clientNoContextTakeover: true };
const perMessageDeflate = process.argv[3] === 'compressed' && compressed;
const server = new WebSocketServer({ host: '127.0.0.1', port: Number(process.argv[2]), perMessageDeflate, maxPayload: 32 * 1024 * 1024 });
server.on('connection', (socket) => {
  socket.on('error', () => {});
  socket.on('message', (data, isBinary) => socket.send(data, { binary: isBinary }));
});
