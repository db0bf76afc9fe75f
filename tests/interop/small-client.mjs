// Loads web/socket.io.js as a browser does, as a classic script, but with a global object of its own.
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { after } from 'node:test';
import vm from 'node:vm';
import WebSocket from 'ws';
import { ROOT } from './servers.mjs';

export const SMALL_CLIENT = path.join(ROOT, 'web', 'socket.io.js');

/** Its `io`; whatever of the browser is given replaces the real thing. */
export function loadSmallClient({ location, ...browser } = {}) {
  const names = { WebSocket, setTimeout, console, ...browser };
  const source = `(function (globalThis, ${Object.keys(names)}) {${readFileSync(SMALL_CLIENT, 'utf8')}\n})`;
  const global = { location };
  vm.runInThisContext(source, { filename: SMALL_CLIENT })(global, ...Object.values(names));
  return global.io;
}

/** A socket of it that reconnects soon, closed after the test. */
export function openSmall(url, options, io = loadSmallClient()) {
  const socket = io(url, { reconnectionDelay: 10, reconnectionDelayMax: 50, ...options });
  after(() => socket.close());
  return socket;
}
