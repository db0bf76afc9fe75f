// What durability costs: the three stores under the same loads, one after the other, in rounds.
// `just stores [ROUNDS] [SECONDS]`, or `node tools/stores.mjs` after building counter-server and loadgen in release.
//
//   acknowledged/s  200 emitters, each waiting for one acknowledgement before its next click
//   p99             1,000 clients, 1,000 increments/s on a schedule, planned send to arrival
//
// Redis runs with `appendonly yes` and `appendfsync always`, and on the same cores as everything else.
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { cpus, release } from 'node:os';
import { join } from 'node:path';
import { built, directory, main, median, redis, server, stop } from './processes.mjs';

const [rounds, seconds] = [Number(process.argv[2] ?? 5), Number(process.argv[3] ?? 5)];

const LOADS = {
  'acknowledged/s': {
    args: ['ack', '--clients', '200', '--closed'],
    figure: ({ counts }) => counts.acked / seconds,
    digits: 0,
  },
  'p99 ms': {
    args: ['broadcast', '--clients', '1000', '--rate', '1000'],
    figure: ({ latencies }) => latencies.broadcast_latency.p99,
    digits: 1,
  },
};

function measure(load, url) {
  const result = join(directory, 'result.json');
  const args = [...load.args, '--url', url, '--duration', `${seconds}s`, '--quiet', '--json', result];
  const run = spawnSync(join(built, 'loadgen'), args, { encoding: 'utf8' });
  if (run.error) throw new Error(`cannot run loadgen: ${run.error.message}; cargo build --release -p loadgen`);
  const { verdict, total } = JSON.parse(readFileSync(result, 'utf8'));
  if (verdict.state !== 'VALID') console.error(`  ${verdict.state}: ${verdict.reasons.map((it) => it.text).join('; ')}`);
  return load.figure(total);
}

async function compare() {
  const durable = await redis();
  const stores = {
    memory: () => 'memory',
    file: (round) => `file:${join(directory, `${round}.redb`)}`,
    redis: () => durable,
  };
  const figures = {};
  for (let round = 0; round < rounds; round++) {
    for (const [name, load] of Object.entries(LOADS)) {
      for (const [store, address] of Object.entries(stores)) {
        const { child, url } = await server(address(round));
        const figure = measure(load, url);
        await stop(child);
        console.error(`round ${round + 1}: ${store}: ${figure.toFixed(load.digits)} ${name}`);
        ((figures[name] ??= {})[store] ??= []).push(figure);
      }
    }
  }
  console.log(`medians of ${rounds} rounds of ${seconds} s on ${cpus().length} x ${cpus()[0].model}, Linux ${release()}`);
  for (const [name, load] of Object.entries(LOADS)) {
    // In each round against memory in the same round: the machine drifts.
    const { memory } = figures[name];
    for (const store of Object.keys(stores)) {
      const values = figures[name][store];
      const ratio = median(values.map((value, round) => value / memory[round]));
      const [value, times] = [median(values).toFixed(load.digits), ratio.toFixed(2)];
      console.log(`${name.padEnd(16)} ${store.padEnd(8)} ${value.padStart(8)}   ${times} x memory`);
    }
  }
}

await main(compare);
