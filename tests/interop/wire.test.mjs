// The tutorial's wire behaviour as a specification, read to our server and to the tutorial's own, with every client.
import assert from 'node:assert/strict';
import { createServer } from 'node:net';
import { describe, test } from 'node:test';
import { CLIENTS, open } from './clients.mjs';
import { next } from './deadline.mjs';
import { SERVERS } from './servers.mjs';

for (const kind of SERVERS) {
  const server = await kind.start();

  for (const client of CLIENTS) {
    describe(`${kind.name}, ${client.name}`, () => {
      test('a new client alone receives the current count', async () => {
        const early = open(client, server);
        const count = await early.counts.first();
        const late = open(client, server);
        assert.equal(await late.counts.first(), count);

        late.emit('increment');
        await early.counts.until(count + 1);
        assert.deepEqual(early.counts.all, [count, count + 1]);
      });

      test('every client receives an increment, the emitter included', async () => {
        const sockets = [open(client, server), open(client, server), open(client, server)];
        const [count] = await Promise.all(sockets.map((socket) => socket.counts.first()));
        for (const [i, emitter] of sockets.entries()) {
          emitter.emit('increment');
          await Promise.all(sockets.map((socket) => socket.counts.until(count + i + 1)));
        }
        for (const { counts } of sockets) assert.deepEqual(counts.all, [count, count + 1, count + 2, count + 3]);
      });

      // Between two polls a client may be given the newest count alone.
      const mayJump = client.polling || client.upgrades;
      const order = mayJump ? 'counts only grow, and end on the newest' : 'no count is missing';
      test(`whoever increments, ${order}`, async () => {
        const sockets = [open(client, server), open(client, server)];
        const [count] = await Promise.all(sockets.map((socket) => socket.counts.first()));
        for (let i = 0; i < 20; i++) sockets.forEach((socket) => socket.emit('increment'));
        await Promise.all(sockets.map((socket) => socket.counts.until(count + 40)));

        for (const { counts } of sockets) {
          counts.all.reduce((before, after) => {
            assert.ok(mayJump ? after > before : after === before + 1, String(counts.all));
            return after;
          });
        }
      });

      test('an increment counts whatever its arguments', async () => {
        const socket = open(client, server);
        const count = await socket.counts.first();
        socket.emit('increment', 5, 'five', { other: [null] });
        socket.emit('increment', null);
        await socket.counts.until(count + 2);
      });

      if (client.upgrades) {
        test('it ends on websocket', async () => {
          const socket = open(client, server);
          const { engine } = socket.io;
          if (engine.transport.name !== 'websocket') await next(engine, 'upgrade');
          assert.equal(engine.transport.name, 'websocket');
          const count = await socket.counts.first();
          socket.emit('increment');
          await socket.counts.until(count + 1);
        });
      }
    });
  }

  describe(`${kind.name}, over HTTP`, () => {
    test('GET / is a page with a +1 button', async () => {
      const response = await fetch(server.url);
      assert.match(response.headers.get('content-type'), /^text\/html/);
      assert.match(await response.text(), /<button id="increment"[^>]*>\+1<\/button>/);
    });

    test('GET /socket.io/socket.io.js is the browser client', async () => {
      const response = await fetch(`${server.url}/socket.io/socket.io.js`);
      assert.equal(response.status, 200);
      assert.match(response.headers.get('content-type'), /javascript/);
    });

    test('what does not exist is answered with 404', async () => {
      assert.equal((await fetch(`${server.url}/no-such-file`)).status, 404);
    });

    test('the port comes from PORT', async () => {
      const port = await freePort();
      const { url } = await kind.start({ port });
      assert.equal(url, `http://127.0.0.1:${port}`);
      assert.equal((await fetch(url)).status, 200);
    });
  });
}

async function freePort() {
  const listener = createServer().listen(0, '127.0.0.1');
  await next(listener, 'listening');
  const { port } = listener.address();
  listener.close();
  await next(listener, 'close');
  return port;
}
