// What our server adds to the tutorial's `increment`: acknowledgements, keys that are counted once, and clear refusals.
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { describe, test } from 'node:test';
import { CLIENTS, open } from './clients.mjs';
import { within } from './deadline.mjs';
import { counterServer } from './servers.mjs';

const server = await counterServer.start();

const acknowledged = (socket, ...args) =>
  within(new Promise((resolve) => socket.emit('increment', ...args, resolve)), 'the acknowledgement');

for (const client of CLIENTS) {
  describe(client.name, () => {
    test('an acknowledgement answers the new count', async () => {
      const socket = open(client, server);
      const count = await socket.counts.first();
      assert.equal(await acknowledged(socket), count + 1);
      assert.equal(await acknowledged(socket, 'whatever', 2), count + 2);
      await socket.counts.until(count + 2);
    });

    test('a key is counted once, and answers the count of its first time', async () => {
      const socket = open(client, server);
      const other = open(client, server);
      const count = await socket.counts.first();
      const key = randomUUID();
      assert.equal(await acknowledged(socket, { key }), count + 1);
      assert.equal(await acknowledged(socket, { key: randomUUID() }), count + 2);
      assert.equal(await acknowledged(socket, { key }), count + 1);
      assert.equal(await acknowledged(other, { key }), count + 1);
      assert.equal(await acknowledged(socket), count + 3);
    });

    test('a key that is no string of 1 to 128 bytes is refused, and nothing else happens', async () => {
      const socket = open(client, server);
      const other = open(client, server);
      const [count] = await Promise.all([socket.counts.first(), other.counts.first()]);
      for (const key of [5, null, true, [], {}, '', 'x'.repeat(129), 'é'.repeat(65)]) {
        const answer = await acknowledged(socket, { key });
        assert.deepEqual(Object.keys(answer), ['error'], JSON.stringify(key));
        assert.match(answer.error, /key.*string.*128 bytes/);
      }
      assert.ok(socket.connected && other.connected);
      assert.equal(await acknowledged(socket), count + 1);
      assert.equal(await acknowledged(other), count + 2);
    });

    test('a key may have 128 bytes', async () => {
      const socket = open(client, server);
      const count = await socket.counts.first();
      assert.equal(await acknowledged(socket, { key: randomUUID().padEnd(128, 'x') }), count + 1);
      assert.equal(await acknowledged(socket, { key: randomUUID().padEnd(36 + 46, 'é') }), count + 2);
    });

    // A server that answers CONNECT before it listens loses some of these, more when the machine is busy.
    test('an increment sent as soon as the client is connected is never lost', async () => {
      for (let connection = 0; connection < 50; connection++) {
        const socket = open(client, server);
        assert.equal(typeof (await acknowledged(socket)), 'number');
        socket.close();
      }
    });

    test('an unknown event is ignored', async () => {
      const socket = open(client, server);
      const count = await socket.counts.first();
      socket.emit('decrement');
      socket.emit('countUpdated', 1000);
      socket.emit('', { any: 'thing' });
      assert.equal(await acknowledged(socket), count + 1);
    });
  });
}
