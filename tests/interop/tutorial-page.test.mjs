// The tutorial's page and script of 2019, unchanged, in a real browser: with our browser client and the official one.
import assert from 'node:assert/strict';
import path from 'node:path';
import { test } from 'node:test';
import { openTab, startBrowser } from './browser.mjs';
import { counterServer, tutorialServer } from './servers.mjs';

const publicDir = path.join(import.meta.dirname, 'tutorial');
const bundle = (folder) => ({
  clientBundle: path.join(import.meta.dirname, 'node_modules', folder, 'socket.io.js'),
});
const browser = await startBrowser();

for (const [name, kind, options] of [
  ['our server and our browser client', counterServer, {}],
  ['our server and the bundle of version 4', counterServer, bundle('socket.io/client-dist')],
  ['our server and the bundle of version 3', counterServer, bundle('socket.io-client-3/dist')],
  ['our server and the bundle of version 2', counterServer, bundle('socket.io-client-2/dist')],
  ['the tutorial as it was', tutorialServer, {}],
]) {
  test(`the page works unchanged on ${name}`, async () => {
    const { url } = await kind.start({ publicDir, ...options });
    const tab = await openTab(browser);
    const said = (count) =>
      tab.waitForEvent('console', {
        predicate: (line) => line.text() === `The count has been updated! ${count}`,
        timeout: 15_000,
      });
    await Promise.all([said(0), tab.goto(url)]);
    await Promise.all([said(1), tab.click('#increment')]);
    await Promise.all([said(2), tab.click('#increment')]);
    assert.deepEqual(tab.failures.filter((line) => !line.endsWith('/favicon.ico')), []);
  });
}
