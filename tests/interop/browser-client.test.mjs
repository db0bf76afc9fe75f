// web/socket.io.js: the manners of the official client, on our server, the tutorial's and a stock one with more events.
// How it behaves on peers with faults: browser-client-faults.test.mjs.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import { Counts } from './counts.mjs';
import { next, within } from './deadline.mjs';
import { stock } from './peers.mjs';
import { counterServer, SERVERS } from './servers.mjs';
import { loadSmallClient, openSmall, SMALL_CLIENT } from './small-client.mjs';

test('it is served as it is in web/, in less than 8 KB', async () => {
  const { url } = await counterServer.start();
  const served = await (await fetch(`${url}/socket.io/socket.io.js`)).text();
  assert.equal(served, readFileSync(SMALL_CLIENT, 'utf8'), 'the binary has an older file: build it again');
  assert.ok(Buffer.byteLength(served) < 8000);
});

for (const kind of SERVERS) {
  describe(`on ${kind.name}`, () => {
    test('it returns after the server does, and sends what was emitted meanwhile, once and in order', async () => {
      const server = await kind.start();
      const socket = openSmall(server.url);
      const counts = new Counts(socket);
      await next(socket, 'connect');
      const { id } = socket;
      assert.equal(typeof id, 'string');

      const lost = next(socket, 'disconnect');
      await server.stop();
      assert.match((await lost)[0], /^transport (close|error)$/);
      const state = [socket.connected, socket.disconnected, socket.active, socket.id];
      assert.deepEqual(state, [false, true, true, undefined]);

      socket.emit('increment');
      socket.emit('increment');
      await next(socket, 'connect_error');
      const back = next(socket, 'connect');
      await kind.start({ port: server.port });
      await back;
      assert.notEqual(socket.id, id);
      await counts.until(2);
      assert.deepEqual(counts.all.slice(-3), [0, 1, 2]);
    });

    test('it emits before it is connected', async () => {
      const { url } = await kind.start();
      const socket = openSmall(url);
      const counts = new Counts(socket);
      socket.emit('increment');
      await counts.until(1);
    });

    test('off removes one listener or those of one event, once fires once', async () => {
      const { url } = await kind.start();
      const socket = openSmall(url);
      const counts = new Counts(socket);
      const calls = { kept: 0, removed: 0, once: 0, onceRemoved: 0 };
      const removed = () => calls.removed++;
      const onceRemoved = () => calls.onceRemoved++;
      socket.on('countUpdated', () => calls.kept++);
      socket.on('countUpdated', removed).once('countUpdated', () => calls.once++).once('countUpdated', onceRemoved);
      socket.off('countUpdated', removed).off('countUpdated', onceRemoved).off('unknown', removed);
      await counts.until(0);
      socket.emit('increment');
      socket.emit('increment');
      const last = new Counts(socket);
      await last.until(2);
      assert.deepEqual(calls, { kept: 3, removed: 0, once: 1, onceRemoved: 0 });

      const unheard = calls.kept;
      socket.off('countUpdated');
      const now = new Counts(socket);
      socket.emit('increment');
      await now.until(3);
      assert.equal(calls.kept, unheard);
    });

    test('disconnect is final until connect', async () => {
      const { url } = await kind.start();
      const socket = openSmall(url);
      await next(socket, 'connect');
      const reasons = [];
      socket.on('disconnect', (reason) => reasons.push(reason));
      socket.disconnect();
      assert.deepEqual(reasons, ['io client disconnect']);
      assert.deepEqual([socket.connected, socket.active], [false, false]);
      socket.emit('increment');

      const counts = new Counts(socket);
      socket.connect();
      await counts.until(1);
    });

    test('a namespace that the server does not have is a connect_error without retry', async () => {
      const { url } = await kind.start();
      const socket = openSmall(`${url}/no-such-namespace`);
      const [error] = await next(socket, 'connect_error');
      assert.equal(error.message, 'Invalid namespace');
      assert.equal(socket.active, false);
    });
  });
}

describe('on stock socket.io', () => {
  test('acknowledgements go both ways, with several values', async () => {
    const { url, io: server } = await stock();
    server.on('connection', (peer) => {
      peer.on('add', (a, b, ack) => ack(a + b, 'sum'));
      peer.on('ask', () => peer.emit('question', { of: 'life' }, (...answer) => peer.emit('answered', ...answer)));
    });
    const socket = openSmall(url);
    const sum = new Promise((resolve) => socket.emit('add', 40, 2, (...values) => resolve(values)));
    assert.deepEqual(await within(sum, 'the sum'), [42, 'sum']);

    socket.on('question', (what, answer) => answer(what.of, 42));
    socket.emit('ask');
    assert.deepEqual(await next(socket, 'answered'), ['life', 42]);
  });

  test('namespace, auth and query reach the server', async () => {
    const { url, io: server } = await stock({ path: '/elsewhere' });
    server.of('/room').on('connection', (peer) => {
      const { auth, query } = peer.handshake;
      peer.emit('seen', peer.nsp.name, auth, query.from);
      peer.on('echo', (value, ack) => ack(value));
    });
    for (const auth of [{ token: 'open' }, (give) => setImmediate(give, { token: 'open' })]) {
      const socket = openSmall(`${url}/room`, { path: '/elsewhere', auth, query: { from: 'a test' } });
      assert.deepEqual(await next(socket, 'seen'), ['/room', { token: 'open' }, 'a test']);
      const echo = new Promise((resolve) => socket.emit('echo', 'with,comma', resolve));
      assert.equal(await within(echo, 'the echo'), 'with,comma');
    }
  });

  test('a middleware that refuses is a connect_error with its data', async () => {
    const { url, io: server } = await stock();
    server.use((_, proceed) => proceed(Object.assign(new Error('not you'), { data: { code: 7 } })));
    const socket = openSmall(url);
    const [error] = await next(socket, 'connect_error');
    assert.deepEqual([error.message, error.data, socket.active], ['not you', { code: 7 }, false]);
  });

  test('a server that disconnects it is obeyed', async () => {
    const { url, io: server } = await stock();
    server.on('connection', (peer) => peer.on('leave', () => peer.disconnect()));
    const socket = openSmall(url);
    socket.emit('leave');
    assert.deepEqual(await next(socket, 'disconnect'), ['io server disconnect']);
    assert.equal(socket.active, false);
  });

  test('it answers heartbeats, and waits for the next from each', async () => {
    const { url, io: server } = await stock({ pingInterval: 20, pingTimeout: 10_000 });
    let watches = 0;
    const counted = (then, ms) => {
      if (ms === 20 + 10_000) watches++;
      return setTimeout(then, ms);
    };
    const connection = next(server, 'connection');
    openSmall(url, {}, loadSmallClient({ setTimeout: counted }));
    const [peer] = await connection;
    for (let beat = 0; beat < 3; beat++) await next(peer.conn, 'heartbeat');
    assert.ok(watches >= 1 + 3, String(watches));
  });

  test('a disconnect is told to the server', async () => {
    const { url, io: server } = await stock();
    const left = new Promise((resolve) => server.on('connection', (peer) => peer.on('disconnect', resolve)));
    openSmall(url).once('connect', function () {
      this.close();
    });
    assert.equal(await within(left, 'the disconnect'), 'client namespace disconnect');
  });

  test('binary data is refused on the way out and reported and ignored on the way in', async () => {
    const { url, io: server } = await stock();
    server.on('connection', (peer) => {
      peer.emit('picture', Buffer.from([1, 2, 3]));
      peer.emit('text', 'after');
    });
    const errors = [];
    const socket = openSmall(url, {}, loadSmallClient({ console: { error: (line) => errors.push(line) } }));
    socket.on('picture', () => assert.fail('a binary packet was delivered'));
    assert.deepEqual(await next(socket, 'text'), ['after']);
    assert.match(errors.join(), /^socket\.io: binary packet ignored/);
    for (const data of [new ArrayBuffer(1), new Uint8Array(1), new Blob(['x'])]) {
      assert.throws(() => socket.emit('upload', { data }), /only the official client sends binary data/);
    }
  });

  test('off without arguments removes every listener', async () => {
    const { url } = await stock();
    const socket = openSmall(url);
    socket.on('disconnect', () => assert.fail('a listener was left'));
    await next(socket, 'connect');
    socket.off().disconnect();
  });

  test('names that belong to the client cannot be emitted', async () => {
    const { url } = await stock();
    const socket = openSmall(url, { autoConnect: false });
    assert.equal(socket.active, false);
    assert.throws(() => socket.emit('disconnect'), /"disconnect" is a reserved event name/);
  });
});

describe('io()', () => {
  const opened = (page, ...args) => {
    let address;
    class Recorder {
      constructor(url) {
        address = url;
      }
      close() {}
    }
    const socket = loadSmallClient({ WebSocket: Recorder, location: page && new URL(page) })(...args);
    socket.close();
    return `${address} ${socket.nsp}`;
  };
  const QUERY = 'EIO=4&transport=websocket';

  for (const [page, args, expected] of [
    ['http://h:1/deep/page?x#y', [], `ws://h:1/socket.io/?${QUERY} /`],
    ['https://h/', [], `wss://h/socket.io/?${QUERY} /`],
    ['http://h/', ['/room'], `ws://h/socket.io/?${QUERY} /room`],
    ['http://h/', [{ path: '/p' }], `ws://h/p/?${QUERY} /`],
    ['http://h/', ['other:80/room'], `ws://other/socket.io/?${QUERY} /room`],
    ['https://h/', ['//other'], `wss://other/socket.io/?${QUERY} /`],
    [undefined, ['wss://other/room?a=b'], `wss://other/socket.io/?a=b&${QUERY} /room`],
    [undefined, ['http://other?a=b', { query: { c: 'd' } }], `ws://other/socket.io/?c=d&${QUERY} /`],
  ]) {
    test(`${JSON.stringify(args)} on ${page} goes to ${expected}`, () => {
      assert.equal(opened(page, ...args), expected);
    });
  }
});
