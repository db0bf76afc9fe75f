// What it costs to receive: CPU per message of loadgen, of the raw client of benches/peers and of the stock JavaScript
// client, under the same load on the same server, in rounds.
// `just generators [ROUNDS]`, or `node tools/generators.mjs` after building counter-server, loadgen and peers in release.
//
// User and system time of the whole client process, from /proc, over a few seconds in the middle of its run. The machine's
// own speed drifts, so what counts is the median of the ratios of runs that followed each other; their range says how far.
import { readFileSync } from 'node:fs';
import { cpus, release } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { built, main, median, server, start, stop } from './processes.mjs';

const rounds = Number(process.argv[2] ?? 5);
/** Seconds. */
const WINDOW = 4;
const warm = (clients) => 2 + clients / 5000;
const TICKS_PER_SECOND = 100;

// The stock client cannot take more than the first load.
const LOADS = [
  { clients: 500, rate: 20, with: ['raw-client', 'loadgen', 'stock-client'] },
  { clients: 1000, rate: 50, with: ['raw-client', 'loadgen'] },
  { clients: 1000, rate: 200, with: ['raw-client', 'loadgen'] },
  { clients: 2000, rate: 25, with: ['raw-client', 'loadgen'] },
  { clients: 5000, rate: 10, with: ['raw-client', 'loadgen'] },
  { clients: 10_000, rate: 5, with: ['raw-client', 'loadgen'] },
];

const GENERATORS = {
  'raw-client': (url, { clients, rate }, length) =>
    [join(built, 'raw-client'), '--url', url, '--clients', clients, '--in-flight', 512, `steady:${rate}/s,${length}s`],
  loadgen: (url, { clients, rate }, length) =>
    [join(built, 'loadgen'), 'broadcast', '--url', url, '--clients', clients, '--rate', rate,
      '--warm-up', '0s', '--duration', `${length}s`, '--quiet'],
  'stock-client': (url, { clients, rate }, length) =>
    [process.execPath, 'tools/stock-client.mjs', url, clients, rate, length],
};

/** Seconds of CPU that a process has used. */
function used(pid) {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1].split(' ');
  return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND;
}

async function measure(name, load) {
  const { child, url } = await server('memory');
  const lead = warm(load.clients);
  const [program, ...args] = GENERATORS[name](url, load, Math.ceil(lead + WINDOW + 2));
  const generator = start(program, args);
  await setTimeout(lead * 1000);
  const before = used(generator.pid);
  await setTimeout(WINDOW * 1000);
  const seconds = used(generator.pid) - before;
  await stop(generator);
  await stop(child);
  return (seconds / (load.clients * load.rate * WINDOW)) * 1e6;
}

await main(async () => {
  const figures = LOADS.map((load) => Object.fromEntries(load.with.map((name) => [name, []])));
  for (let round = 0; round < rounds; round++) {
    for (const [index, load] of LOADS.entries()) {
      // In turn from both ends: none of them always follows the same other one.
      const order = round % 2 === 0 ? load.with : load.with.toReversed();
      for (const name of order) figures[index][name].push(await measure(name, load));
    }
    console.error(`round ${round + 1} of ${rounds} is done`);
  }
  console.log(`µs of CPU per message received, medians of ${rounds} rounds on ${cpus().length} x ${cpus()[0].model}, Linux ${release()}`);
  for (const [index, load] of LOADS.entries()) {
    const raw = figures[index]['raw-client'];
    for (const name of load.with) {
      const values = figures[index][name];
      const ratios = values.map((value, round) => value / raw[round]);
      const [least, middle, most] = [Math.min(...ratios), median(ratios), Math.max(...ratios)].map((ratio) => ratio.toFixed(2));
      console.log(`${load.clients} clients, ${load.rate}/s`.padEnd(22), name.padEnd(13), median(values).toFixed(2).padStart(6),
        ` ${middle} x raw-client (${least} to ${most})`);
    }
  }
});
