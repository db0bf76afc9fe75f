// The stock JavaScript client under a load that loadgen gives too: node tools/stock-client.mjs URL CLIENTS RATE SECONDS
import { createRequire } from 'node:module';
import { setInterval } from 'node:timers/promises';

const { io } = createRequire(new URL('../tests/interop/package.json', import.meta.url))('socket.io-client');
const [url, clients, rate, seconds] = [process.argv[2], ...process.argv.slice(3).map(Number)];

const first = [];
for (let client = 0; client < clients; client++) {
  const socket = io(url, { transports: ['websocket'], forceNew: true });
  first.push(new Promise((resolve) => socket.on('countUpdated', () => resolve(socket))));
}
const [emitter] = await Promise.all(first);
console.log('connected');
const start = performance.now();
let sent = 0;
for await (const _ of setInterval(5)) {
  const due = Math.floor(((performance.now() - start) / 1000) * rate);
  while (sent < Math.min(due, rate * seconds)) {
    emitter.emit('increment');
    sent++;
  }
  if (sent === rate * seconds) break;
}
process.exit();
