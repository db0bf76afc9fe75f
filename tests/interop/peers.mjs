// Socket.IO servers inside the test's own process: a stock one, and one that follows a script, faults included.
import { createServer } from 'node:http';
import { after } from 'node:test';
import { Server } from 'socket.io';
import { WebSocketServer } from 'ws';
import { next } from './deadline.mjs';

/** Stock socket.io: its `url`, and `io` to give it handlers. */
export async function stock(options) {
  const http = createServer();
  const io = new Server(http, options);
  after(() => io.close());
  return { url: await listening(http), io };
}

/**
 * The address of a peer that calls `script(say, connection)` for each WebSocket connection, numbered from 1. What the
 * script returns, if anything, is called with each text received.
 */
export async function scripted(script) {
  const http = createServer();
  const server = new WebSocketServer({ server: http });
  let connections = 0;
  server.on('connection', (peer) => {
    const react = script((text) => peer.send(text), ++connections, peer);
    peer.on('message', (data) => react?.(String(data)));
  });
  after(() => {
    for (const peer of server.clients) peer.terminate();
    http.close();
  });
  return listening(http);
}

async function listening(http) {
  http.listen(0, '127.0.0.1');
  await next(http, 'listening');
  return `http://127.0.0.1:${http.address().port}`;
}
