// Many servers on one Redis and thousands of clients at each of them, all on this machine: one count everywhere?
// `just nodes [NODES] [CLIENTS] [RATE] [DURATION]`, or `node tools/nodes.mjs` after building counter-server and loadgen in
// release. CLIENTS are those of one node.
//
// loadgen gets a worker process for each server and several source addresses, because neither the open files nor the
// ports of one would do. Fails if anything was lost, skipped, repeated or out of order, or a client was short.
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { built, main, redis, server } from './processes.mjs';

const [nodes = 5, clients = 19_000, rate = 0.5, duration = '20s'] = process.argv.slice(2);

await main(async () => {
  const store = await redis();
  const servers = await Promise.all(Array.from({ length: nodes }, () => server(store)));
  const urls = servers.flatMap(({ url }) => ['--url', url]);
  const load = ['--clients', nodes * clients, '--workers', nodes, '--rate', rate, '--duration', duration];
  const thresholds = ['lost', 'skipped', 'repeated', 'out_of_order'].flatMap((it) => ['--threshold', `${it}:count==0`]);
  const args = ['broadcast', ...urls, ...load, ...thresholds, '--source', '127.0.1.0/28'];
  const run = spawnSync(join(built, 'loadgen'), args, { stdio: 'inherit' });
  if (run.error) throw new Error(`cannot run loadgen: ${run.error.message}; cargo build --release -p loadgen`);
  if (run.status !== 0) throw new Error(`loadgen ended with ${run.status}`);
});
