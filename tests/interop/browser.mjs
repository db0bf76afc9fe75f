// A headless Chromium for the tests of pages: the system's, driven by playwright-core, with a profile of its own.
import { existsSync } from 'node:fs';
import { after } from 'node:test';
import { chromium } from 'playwright-core';

const EXECUTABLE = process.env.CHROMIUM ?? '/usr/bin/chromium';
const ARGUMENTS = [
  '--no-sandbox', // it runs as root in containers
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

/** A browser, closed after the file that started it. */
export async function startBrowser() {
  if (!existsSync(EXECUTABLE)) throw new Error(`there is no ${EXECUTABLE}; run: bash tools/test.sh`);
  const browser = await chromium.launch({ executablePath: EXECUTABLE, args: ARGUMENTS });
  after(() => browser.close());
  return browser;
}

/** A tab with its own cookies and cache, and the list of its `failures`: exceptions and error lines of the console. */
export async function openTab(browser, options) {
  const page = await browser.newPage({ locale: 'en-US', viewport: { width: 1000, height: 700 }, ...options });
  after(() => page.close());
  page.failures = [];
  page.on('pageerror', (error) => page.failures.push(String(error)));
  page.on('console', (line) => line.type() === 'error' && page.failures.push(`${line.text()} ${line.location().url}`));
  return page;
}

/** Waits until the element shows exactly this text. */
export async function shows(page, selector, text) {
  const isShown = ([selector, text]) => document.querySelector(selector)?.textContent === text;
  await page.waitForFunction(isShown, [selector, text], { timeout: 15_000 }).catch(async () => {
    const seen = await page.textContent(selector);
    throw new Error(`waited 15 s in vain for ${selector} to show "${text}"; it shows "${seen}"`);
  });
}
