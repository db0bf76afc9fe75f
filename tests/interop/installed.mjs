// Fails with one line when an npm package of these tests is missing: an import would fail with a stack trace instead.
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';

const here = import.meta.dirname;
const { dependencies } = JSON.parse(readFileSync(path.join(here, 'package.json'), 'utf8'));
const missing = Object.keys(dependencies).filter((name) => !existsSync(path.join(here, 'node_modules', name)));
if (missing.length > 0) {
  console.error(`error: npm packages not installed: ${missing.join(', ')}; run: bash tools/test.sh`);
  process.exitCode = 1;
}
