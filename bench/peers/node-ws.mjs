// ws on Node: `npm install --prefix bench/peers ws`. Started as `node node-ws.mjs PORT`.
//
// Without permessage-deflate, which it leaves off by default, and with a limit above the largest messages of any row.

import { WebSocketServer } from 'ws';

const server = new WebSocketServer({ host: '127.0.0.1', port: Number(process.argv[2]), maxPayload: 32 * 1024 * 1024 });
server.on('connection', (socket) => {
  socket.on('error', () => {});
  socket.on('message', (data, isBinary) => socket.send(data, { binary: isBinary }));
});
