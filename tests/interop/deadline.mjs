// Waiting for an event under a timeout: the one way in which these tests wait.

const LIMIT = 15_000; // ms: far above what anything here takes on a busy machine

/** Settles as `promise` does, or rejects after the limit with what was waited for (text, or a function for it). */
export function within(promise, what, ms = LIMIT) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => {
      reject(new Error(`waited ${ms / 1000} s in vain for ${typeof what === 'function' ? what() : what}`));
    }, ms);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

/** The arguments of the next `event` of an emitter (`once`), under the limit. */
export function next(emitter, event) {
  return within(new Promise((resolve) => emitter.once(event, (...args) => resolve(args))), `"${event}"`);
}
