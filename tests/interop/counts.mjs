// The counts that one client receives, in their order, and waiting for one of them.
import { within } from './deadline.mjs';

export class Counts {
  /** Every count received so far. */
  all = [];
  #waiting = new Set();

  constructor(socket) {
    socket.on('countUpdated', (count) => {
      this.all.push(count);
      for (const check of this.#waiting) check();
    });
  }

  get last() {
    return this.all.at(-1);
  }

  /** Waits until `count` is the last one received. */
  until(count) {
    return this.#when(() => this.last === count, () => `count ${count}, received ${this.all.slice(-20)}`);
  }

  /** Waits for the first count, and gives it. */
  async first() {
    await this.#when(() => this.all.length > 0, 'the first count');
    return this.all[0];
  }

  #when(reached, what) {
    let check;
    const promise = new Promise((resolve) => (check = () => reached() && resolve()));
    this.#waiting.add(check);
    check();
    return within(promise, what).finally(() => this.#waiting.delete(check));
  }
}
