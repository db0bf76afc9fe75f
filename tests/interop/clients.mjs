// The clients that must work with the server: the official ones by version and transport, and our small one.
import { after } from 'node:test';
import io2 from 'socket.io-client-2';
import { io as io3 } from 'socket.io-client-3';
import { io as io4 } from 'socket.io-client';
import { Counts } from './counts.mjs';
import { loadSmallClient } from './small-client.mjs';

const WEBSOCKET = { transports: ['websocket'] };
const POLLING = { transports: ['polling'] };

/** `polling`: it never upgrades; `upgrades`: it begins with polling and ends on WebSocket. */
export const CLIENTS = [
  { name: 'client 2, polling then upgrade', io: io2, upgrades: true },
  { name: 'client 2 over websocket', io: io2, options: WEBSOCKET },
  { name: 'client 3, polling then upgrade', io: io3, upgrades: true },
  { name: 'client 3 over websocket', io: io3, options: WEBSOCKET },
  { name: 'client 4, polling then upgrade', io: io4, upgrades: true },
  { name: 'client 4 over websocket', io: io4, options: WEBSOCKET },
  { name: 'client 4 over polling', io: io4, options: POLLING, polling: true },
  { name: 'our browser client', io: loadSmallClient() },
];

/** A socket of this client with its `counts`, closed after the test (or suite) that opened it. */
export function open(client, server) {
  const socket = client.io(server.url, { forceNew: true, reconnection: false, ...client.options });
  socket.counts = new Counts(socket);
  after(() => socket.close());
  return socket;
}
