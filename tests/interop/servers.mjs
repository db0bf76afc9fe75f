// The two servers that the tests hold to one specification, each as a process of its own: ours, and the tutorial's.
// A started server is `{ url, port, stop }`; it is stopped after the test (or suite) that started it.
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { after } from 'node:test';
import { within } from './deadline.mjs';

const HERE = import.meta.dirname;
export const ROOT = path.join(HERE, '..', '..');
const TARGET = process.env.CARGO_TARGET_DIR ?? path.join(ROOT, 'target');
const BINARY = process.env.COUNTER_SERVER ?? path.join(TARGET, 'debug', 'counter-server');

/** Our server, with a store in memory. */
export const counterServer = {
  name: 'counter-server',
  start({ port = 0, publicDir, clientBundle } = {}) {
    if (!existsSync(BINARY)) {
      throw new Error(`there is no ${BINARY}; run: cargo build -p counter-server (or set COUNTER_SERVER)`);
    }
    const args = ['--store', 'memory', '--admin', 'off'];
    if (publicDir) args.push('--public-dir', publicDir);
    if (clientBundle) args.push('--client-bundle', clientBundle);
    return start(BINARY, args, { PORT: String(port) });
  },
};

/** The tutorial on stock Node socket.io. */
export const tutorialServer = {
  name: 'the tutorial on Node socket.io',
  start: ({ port = 0, publicDir } = {}) =>
    start(process.execPath, [path.join(HERE, 'tutorial-server.mjs')], {
      PORT: String(port),
      ...(publicDir && { PUBLIC_DIR: publicDir }),
    }),
};

export const SERVERS = [counterServer, tutorialServer];

async function start(command, args, environment) {
  const env = { ...process.env, HOST: '127.0.0.1', ...environment };
  const child = spawn(command, args, { env, stdio: ['ignore', 'pipe', 'pipe'] });
  const kill = () => child.kill('SIGKILL');
  process.once('exit', kill);
  const ended = new Promise((resolve) => child.once('close', resolve));
  const stop = async () => {
    kill();
    await ended;
    process.off('exit', kill);
  };
  after(stop);

  let log = '';
  child.stderr.on('data', (data) => (log += data));
  const printed = new Promise((resolve, reject) => {
    child.once('error', reject);
    ended.then((code) => reject(new Error(`${command} ended with ${code} before it accepted: ${log}`)));
    createInterface({ input: child.stdout }).on('line', (line) => {
      const address = /^server is running on (http:\/\/127\.0\.0\.1:(\d+))$/.exec(line);
      if (address) resolve({ url: address[1], port: Number(address[2]), stop });
    });
  });
  return within(printed, () => `the address of ${command}; its log: ${log}`);
}
