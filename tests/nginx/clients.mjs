// Official clients behind nginx: `node clients.mjs URL CLIENTS CLICKS`. Half of them begin with polling and
// upgrade, as browsers do; half stay with polling. Each has an address of its own, so that nginx spreads them.
// Every click has a key and is sent again until it is acknowledged. After the first half of the clicks it prints
// `half` and waits for a line on stdin; at the end, when every client has the last count, it prints a summary.
import { createRequire } from 'node:module';
import { Agent } from 'node:http';
import { createInterface } from 'node:readline';

const { io } = createRequire(new URL('../interop/package.json', import.meta.url))('socket.io-client');

const [url, clients, clicks] = [process.argv[2], Number(process.argv[3]), Number(process.argv[4])];
const total = clients * clicks;

function open(index) {
  const agent = new Agent({ localAddress: `127.0.0.${index + 10}`, keepAlive: true });
  const transports = index % 2 ? ['polling'] : ['polling', 'websocket'];
  const socket = io(url, { agent, transports, forceNew: true, reconnectionDelay: 50, reconnectionDelayMax: 200 });
  const client = { socket, newest: -1, fell: 0, reconnected: -1 };
  socket.on('connect', () => client.reconnected++);
  socket.on('countUpdated', (count) => {
    // A client that moves to a server which is a moment behind may see an older count first, as any new client.
    if (count <= client.newest && client.seenHere) client.fell++;
    client.seenHere = true;
    client.newest = Math.max(client.newest, count);
    client.changed?.();
  });
  socket.on('disconnect', () => (client.seenHere = false));
  return client;
}

async function click(client, key) {
  for (;;) {
    try {
      const answer = await client.socket.timeout(3000).emitWithAck('increment', { key });
      if (typeof answer === 'number') return answer;
    } catch {
      // No answer in time: the same key again.
    }
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

async function clickOften(all, from, to) {
  await Promise.all(
    all.map(async (client, index) => {
      for (let number = from; number < to; number++) await click(client, `client ${index} click ${number}`);
    }),
  );
}

function reaches(client, count) {
  return new Promise((resolve) => {
    client.changed = () => client.newest >= count && resolve();
    client.changed();
  });
}

const all = Array.from({ length: clients }, (_, index) => open(index));
await clickOften(all, 0, clicks / 2);
const transports = all.map(({ socket }) => socket.io.engine.transport.name);
console.log('half');
const stdin = createInterface({ input: process.stdin });
await new Promise((resolve) => stdin.once('line', resolve));
await clickOften(all, clicks / 2, clicks);
await Promise.all(all.map((client) => reaches(client, total)));
console.log(
  JSON.stringify({
    transports,
    newest: all.map((client) => client.newest),
    fell: all.reduce((sum, client) => sum + client.fell, 0),
    reconnected: all.reduce((sum, client) => sum + client.reconnected, 0),
  }),
);
process.exit(0);
