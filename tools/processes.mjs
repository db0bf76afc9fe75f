// Processes that a measurement starts, and ends whatever happens.
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

/** Where `cargo build --release` puts programs. */
export const built = join(process.env.CARGO_TARGET_DIR ?? 'target', 'release');

/** A directory that is gone at the end. */
export const directory = mkdtempSync(join(tmpdir(), 'counter-'));

const running = new Set();

/** A process that is killed at the end whatever happens; what it writes to stdout is for us. */
export function start(command, args) {
  const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'inherit'], env: { ...process.env, RUST_LOG: 'warn' } });
  child.on('error', () => {});
  if (!child.pid) throw new Error(`cannot run ${command}; bash tools/test.sh installs redis-server, cargo build --release the rest`);
  running.add(child);
  child.on('exit', () => running.delete(child));
  return child;
}

/** The same, once it has written a line that `ready` matches: the process, and the match. */
function startUntil(ready, command, args) {
  const child = start(command, args);
  return new Promise((resolve, reject) => {
    child.on('exit', (code) => reject(new Error(`${command} ended with ${code}`)));
    createInterface({ input: child.stdout }).on('line', (line) => {
      const match = ready.exec(line);
      if (match) resolve({ child, match });
    });
  });
}

export function stop(child) {
  return new Promise((resolve) => {
    child.on('exit', resolve);
    child.kill();
  });
}

const freePort = () =>
  new Promise((resolve) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });

export const median = (values) => values.toSorted((a, b) => a - b)[Math.floor((values.length - 1) / 2)];

/** A Redis that loses nothing which it acknowledges: its URL. */
export async function redis() {
  const port = await freePort();
  const args = ['--port', port, '--bind', '127.0.0.1', '--save', '', '--dir', directory];
  await startUntil(/Ready to accept/, 'redis-server', [...args, '--appendonly', 'yes', '--appendfsync', 'always']);
  return `redis://127.0.0.1:${port}`;
}

/** A counter-server: the process, and its URL. */
export async function server(store) {
  const args = ['--port', '0', '--admin', 'off', '--store', store];
  const { child, match } = await startUntil(/^server is running on (.*)$/, join(built, 'counter-server'), args);
  return { child, url: match[1] };
}

/** Runs `body`; afterwards nothing that was started is left. */
export async function main(body) {
  try {
    await body();
  } catch (error) {
    console.error(`error: ${error.message}`);
    process.exitCode = 1;
  } finally {
    await Promise.all([...running].map(stop));
    rmSync(directory, { recursive: true });
  }
}
