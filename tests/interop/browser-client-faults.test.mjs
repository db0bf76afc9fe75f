// web/socket.io.js on peers with faults: lost connections, silence, garbage, late answers.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { next, within } from './deadline.mjs';
import { scripted } from './peers.mjs';
import { loadSmallClient, openSmall } from './small-client.mjs';

const HANDSHAKE = `0${JSON.stringify({ sid: 'a', upgrades: [], pingInterval: 30, pingTimeout: 20, maxPayload: 1e6 })}`;
const PATIENT = HANDSHAKE.replace('"pingTimeout":20', '"pingTimeout":60000');
const CONNECT = '40';
const CONNECTED = '40{"sid":"b"}';

test('a server that stops its heartbeats is left after pingInterval + pingTimeout, and tried again', async () => {
  const url = await scripted((say) => {
    say(HANDSHAKE);
    return () => say(CONNECTED);
  });
  const socket = openSmall(url);
  assert.deepEqual(await next(socket, 'disconnect'), ['ping timeout']);
  await next(socket, 'connect');
});

test('a server that does not answer is left after the connect timeout, and tried again', async () => {
  let closed;
  const left = new Promise((resolve) => (closed = resolve));
  const url = await scripted((say, connection, peer) => {
    if (connection === 1) peer.on('close', closed);
    else say(PATIENT);
    return () => say(CONNECTED);
  });
  const socket = openSmall(url, { timeout: 200 });
  const [error] = await next(socket, 'connect_error');
  assert.equal(error.message, 'timeout');
  await within(left, 'the end of the first connection');
  await next(socket, 'connect');
});

for (const garbage of ['42{"not":"an array"}', '42["cut', 'hello', '']) {
  test(`${JSON.stringify(garbage)} ends the connection, not the client`, async () => {
    const url = await scripted((say, connection) => {
      say(PATIENT);
      return () => {
        say(CONNECTED);
        if (connection === 1) say(garbage);
      };
    });
    const socket = openSmall(url);
    assert.deepEqual(await next(socket, 'disconnect'), ['parse error']);
    await next(socket, 'connect');
  });
}

test('packets of another namespace, unknown types and binary frames are ignored', async () => {
  const url = await scripted((say) => {
    say(PATIENT);
    return () => {
      const ignored = ['6', '49', '42/other,["news",1]', Buffer.from('42["news",2]')];
      for (const packet of [CONNECTED, ...ignored, '42["news",3]']) say(packet);
    };
  });
  assert.deepEqual(await next(openSmall(url), 'news'), [3]);
});

test('an acknowledgement is taken once, and one awaited on a lost connection is not taken from the next', async () => {
  const url = await scripted((say, connection, peer) => {
    say(PATIENT);
    return (text) => {
      if (text === CONNECT) say(CONNECTED);
      else if (connection === 1) peer.close();
      else for (const packet of ['431["stale"]', '432["right"]', '432["again"]', '42["end"]']) say(packet);
    };
  });
  const socket = openSmall(url);
  const answers = [];
  socket.emit('first', (answer) => answers.push(answer));
  await next(socket, 'disconnect');
  socket.emit('second', (answer) => answers.push(answer));
  await next(socket, 'end');
  assert.deepEqual(answers, ['right']);
});

test('an event is acknowledged once, and only on its own connection', async () => {
  const heard = { 1: [], 2: [] };
  const url = await scripted((say, connection, peer) => {
    say(PATIENT);
    return (text) => {
      heard[connection].push(text);
      if (text === CONNECT) for (const packet of [CONNECTED, '427["question"]', '428["question"]']) say(packet);
      else if (text === '42["end"]' && connection === 1) peer.close();
      else if (text === '42["end"]') say('42["ended"]');
    };
  });
  const socket = openSmall(url);
  const answers = [];
  socket.on('question', (answer) => answers.push(answer));
  await next(socket, 'question');
  answers[0]('yes');
  answers[0]('no');
  socket.emit('end');
  await next(socket, 'disconnect');
  await next(socket, 'connect');
  answers[1]('late');
  const ended = next(socket, 'ended');
  socket.emit('end');
  await ended;
  assert.deepEqual(heard, { 1: [CONNECT, '437["yes"]', '42["end"]'], 2: [CONNECT, '42["end"]'] });
});

test('what is emitted while the connection closes is kept for the next', async () => {
  const url = await scripted((say) => {
    say(PATIENT);
    return (text) => say(text === CONNECT ? CONNECTED : `42["heard",${text.slice(2)}]`);
  });
  const sockets = [];
  const RealWebSocket = (await import('ws')).default;
  class Kept extends RealWebSocket {
    constructor(address) {
      super(address);
      sockets.push(this);
    }
  }
  const socket = openSmall(url, {}, loadSmallClient({ WebSocket: Kept }));
  await next(socket, 'connect');
  sockets[0].close();
  assert.equal(socket.connected, true);
  socket.emit('x');
  assert.deepEqual(await next(socket, 'heard'), [['x']]);
});

test('reconnection: false and reconnectionAttempts bound the attempts', async () => {
  const url = await scripted((say, connection, peer) => peer.close());
  for (const [options, attempts] of [[{ reconnection: false }, 1], [{ reconnectionAttempts: 2 }, 3]]) {
    const socket = openSmall(url, options);
    for (let attempt = 1; attempt <= attempts; attempt++) {
      assert.equal(socket.active, true);
      await next(socket, 'connect_error');
    }
    assert.equal(socket.active, false);
  }
});

test('a connection that succeeds begins the count of attempts anew', async () => {
  const url = await scripted((say, connection, peer) => {
    say(PATIENT);
    return () => {
      say(CONNECTED);
      peer.close();
    };
  });
  const socket = openSmall(url, { reconnectionAttempts: 1 });
  for (let time = 0; time < 4; time++) await next(socket, 'disconnect');
});

test('delays before reconnection grow, never pass the maximum, and stay scattered', async () => {
  const delays = [];
  class Unreachable {
    constructor() {
      queueMicrotask(() => this.onerror());
    }
    close() {}
  }
  const finished = new Promise((resolve) => {
    const later = (then, ms) => {
      if (ms === 20_000) return; // the connect timeout
      delays.push(ms);
      if (delays.length < 400) queueMicrotask(then);
      else resolve();
    };
    loadSmallClient({ WebSocket: Unreachable, setTimeout: later })('http://127.0.0.1');
  });
  await within(finished, '400 attempts');

  const [first, second, ...rest] = delays;
  assert.ok(first >= 500 && first <= 1500 && second >= 1000 && second <= 3000, String([first, second]));
  assert.ok(rest.every((ms) => ms > 1600 && ms <= 5000));
  assert.ok(Math.max(...rest) - Math.min(...rest) > 2000);
});
