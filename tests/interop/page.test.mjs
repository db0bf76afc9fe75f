// The page in a real browser, with our browser client and with the official bundle.
import assert from 'node:assert/strict';
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { describe, test } from 'node:test';
import { openTab, shows, startBrowser } from './browser.mjs';
import { counterServer } from './servers.mjs';

const OFFICIAL_BUNDLE = path.join(import.meta.dirname, 'node_modules/socket.io/client-dist/socket.io.js');
const browser = await startBrowser();

for (const [name, options] of [
  ['our browser client', {}],
  ['the official bundle', { clientBundle: OFFICIAL_BUNDLE }],
]) {
  describe(`with ${name}`, () => {
    test('a click in one tab shows in both', async () => {
      const { url } = await counterServer.start(options);
      const tabs = [await openTab(browser), await openTab(browser)];
      for (const tab of tabs) {
        await tab.goto(url);
        await shows(tab, '#count', '0');
        await shows(tab, '#state', 'live');
      }
      for (const [i, tab] of [tabs[0], tabs[1], tabs[0]].entries()) {
        await tab.click('#increment');
        for (const either of tabs) await shows(either, '#count', String(i + 1));
      }
      for (const tab of tabs) {
        await shows(tab, '#pending', '0 clicks pending');
        await tab.waitForFunction(() => document.title === '3 – Live counter');
        await shows(tab, '#announcement', 'Count 3');
        assert.deepEqual(tab.failures, []);
      }
    });

    test('clicks while the server is away stay pending, and are counted when it returns', async () => {
      const server = await counterServer.start(options);
      const tab = await openTab(browser);
      await tab.goto(server.url);
      await tab.click('#increment');
      await shows(tab, '#count', '1');
      await shows(tab, '#pending', '0 clicks pending');

      await server.stop();
      await shows(tab, '#state', 'reconnecting…');
      await tab.click('#increment');
      await shows(tab, '#pending', '1 click pending');
      await tab.click('#increment');
      await shows(tab, '#pending', '2 clicks pending');
      await shows(tab, '#count', '1');

      await counterServer.start({ ...options, port: server.port });
      await shows(tab, '#state', 'live');
      await shows(tab, '#pending', '0 clicks pending');
      await shows(tab, '#count', '2');
    });
  });
}

describe('a click', () => {
  test('whose acknowledgement was lost is sent again, and counted once', async () => {
    const { tab, sent } = await openRewritten((ack, client) => (sent.length === 1 ? client.close() : ack));
    await tab.click('#increment');
    await shows(tab, '#state', 'reconnecting…');
    await shows(tab, '#pending', '1 click pending');
    await shows(tab, '#pending', '0 clicks pending');
    await shows(tab, '#count', '1');
    assert.equal(sent.length, 2);
    assert.deepEqual(sent[0], sent[1]);
    assert.match(sent[0].key, /^[0-9a-f]{32}$/);
  });

  test('that was refused stays pending with one quiet line, and is tried again', async () => {
    const refusal = (ack) => ack.replace(/\[.*/, '[{"error":"the store is away"}]');
    const { tab, sent } = await openRewritten((ack) => (sent.length <= 2 ? refusal(ack) : ack));
    await tab.click('#increment');
    await shows(tab, '#problem', 'Not counted yet: the store is away. Trying again.');
    await shows(tab, '#pending', '1 click pending');
    await shows(tab, '#problem', '');
    await shows(tab, '#pending', '0 clicks pending');
    await shows(tab, '#count', '1');
    assert.deepEqual(sent, [sent[0], sent[0], sent[0]]);
  });

  test('whose answer cannot be read is not sent again', async () => {
    const { tab, sent } = await openRewritten((ack) => (sent.length === 1 ? ack.replace(/\[.*/, '["?"]') : ack));
    await tab.click('#increment');
    await shows(tab, '#problem', 'The server gave an answer that this page cannot read; that click is not sent again.');
    await shows(tab, '#pending', '0 clicks pending');
    await tab.click('#increment');
    await shows(tab, '#problem', '');
    assert.notDeepEqual(sent[0], sent[1]);
    assert.equal(sent.length, 2);
  });

  test('among hundreds waits for its turn, and is counted', async () => {
    const held = [];
    let sentUnanswered;
    const { tab, sent } = await openRewritten((ack, client) => {
      if (sentUnanswered || held.push(ack) < 64) return sentUnanswered && ack;
      sentUnanswered = sent.length;
      held.forEach((each) => client.send(each));
    });
    await tab.evaluate(() => {
      for (let i = 0; i < 200; i++) document.querySelector('#increment').click();
    });
    await shows(tab, '#count', '200');
    await shows(tab, '#pending', '0 clicks pending');
    assert.equal(sentUnanswered, 64);
    assert.equal(new Set(sent.map(({ key }) => key)).size, 200);
  });

  // A tab whose acknowledgements pass through `rewrite(ack, client)`; `sent` are the arguments of its increments.
  async function openRewritten(rewrite) {
    const { url } = await counterServer.start();
    const tab = await openTab(browser);
    const sent = [];
    await tab.routeWebSocket(/socket\.io/, (client) => {
      const server = client.connectToServer();
      client.onMessage((message) => {
        if (message.startsWith('42')) sent.push(JSON.parse(message.replace(/^\d+/, ''))[1]);
        server.send(message);
      });
      server.onMessage((message) => {
        const passed = message.startsWith('43') ? rewrite(message, client) : message;
        if (typeof passed === 'string') client.send(passed);
      });
    });
    await tab.goto(url);
    await shows(tab, '#state', 'live');
    return { tab, sent };
  }
});

describe('the page', () => {
  test('is usable by keyboard alone', async () => {
    const { url } = await counterServer.start();
    const tab = await openTab(browser);
    await tab.goto(url);
    await shows(tab, '#count', '0');
    await tab.keyboard.press('Tab');
    const focused = tab.locator('#increment:focus-visible');
    assert.equal(await focused.evaluate((button) => getComputedStyle(button).outlineWidth), '3px');
    await tab.keyboard.press('Enter');
    await shows(tab, '#count', '1');
    await tab.keyboard.press('Space');
    await shows(tab, '#count', '2');
  });

  test('returns after a server sent it away', async () => {
    const { url } = await counterServer.start();
    const tab = await openTab(browser);
    let connections = 0;
    await tab.routeWebSocket(/socket\.io/, (client) => {
      const server = client.connectToServer();
      const away = ++connections === 1;
      server.onMessage((message) => client.send(away && message.startsWith('42') ? '41' : message));
    });
    await tab.goto(url);
    await shows(tab, '#state', 'reconnecting…');
    await shows(tab, '#state', 'live');
    await shows(tab, '#count', '0');
  });

  test('says so when the browser client does not load', async () => {
    const { url } = await counterServer.start();
    const tab = await openTab(browser);
    await tab.route('**/socket.io.js', (route) => route.abort());
    await tab.goto(url);
    await shows(tab, '#problem', 'The Socket.IO client did not load: check the server, then reload this page.');
  });

  test('shows the longest count on the narrowest phone without scrolling sideways', async () => {
    const { url } = await counterServer.start();
    const tab = await openTab(browser, { viewport: { width: 320, height: 480 } });
    await tab.routeWebSocket(/socket\.io/, (client) => {
      const longest = (message) => message.replace(/"countUpdated",\d+/, `"countUpdated",${2 ** 53 - 1}`);
      client.connectToServer().onMessage((message) => client.send(longest(message)));
    });
    await tab.goto(url);
    await shows(tab, '#count', '9,007,199,254,740,991');
    assert.equal(await tab.evaluate(() => document.documentElement.scrollWidth), 320);
    const { width } = await tab.locator('#count').boundingBox();
    assert.ok(width <= 320 && width > 200, String(width));
  });

  test('follows light and dark, and fits phones', async (t) => {
    const { url } = await counterServer.start();
    const directory = mkdtempSync(path.join(tmpdir(), 'counter-page-'));
    t.diagnostic(`screenshots in ${directory}`);
    const brightness = {};
    for (const [name, colorScheme, width, height] of [
      ['light', 'light', 1200, 800],
      ['dark', 'dark', 1200, 800],
      ['phone', 'light', 375, 720],
      ['phone-dark', 'dark', 375, 720],
      ['phone-sideways', 'dark', 667, 375],
    ]) {
      const tab = await openTab(browser, { colorScheme, viewport: { width, height } });
      await tab.goto(url);
      await shows(tab, '#state', 'live');
      await tab.screenshot({ path: path.join(directory, `${name}.png`), animations: 'disabled' });
      const { red, ...size } = await tab.evaluate(() => ({
        width: document.documentElement.scrollWidth,
        height: document.documentElement.scrollHeight,
        red: Number(getComputedStyle(document.body).backgroundColor.match(/\d+/)[0]),
      }));
      assert.deepEqual(size, { width, height }, name);
      brightness[name] = red;
    }
    assert.ok(brightness.light > 200 && brightness.dark < 50, JSON.stringify(brightness));
  });
});
