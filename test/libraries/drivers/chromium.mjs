// A browser without a window visits the page, over the protocol of its developer tools.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { createHash, X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { WebSocket } from 'ws';
import { cert, done } from '../common.mjs';
import { start } from './subject.mjs';

const { child: server, port, exited } = await start();
const folder = mkdtempSync(join(tmpdir(), 'libraries-chromium-'));

// This key alone, instead of every certificate.
const spki = new X509Certificate(cert).publicKey.export({ type: 'spki', format: 'der' });
const trusted = createHash('sha256').update(spki).digest('base64');

const browser = spawn(
  process.env.CHROMIUM,
  [
    '--headless=new',
    ...(process.getuid() === 0 ? ['--no-sandbox'] : []),
    '--disable-gpu',
    '--disable-dev-shm-usage',
    '--no-first-run',
    '--remote-debugging-port=0',
    `--user-data-dir=${folder}`,
    `--ignore-certificate-errors-spki-list=${trusted}`,
    'about:blank',
  ],
  { stdio: 'ignore', env: { ...process.env, HOME: folder } },
);
const gone = once(browser, 'exit');
process.once('exit', () => browser.kill('SIGKILL'));

async function tools() {
  const file = join(folder, 'DevToolsActivePort');
  while (!existsSync(file) || readFileSync(file, 'utf8').split('\n').length < 2) {
    assert.equal(browser.exitCode, null, 'the browser has ended');
    await sleep(50);
  }
  const [toolsPort] = readFileSync(file, 'utf8').split('\n');
  const pages = await (await fetch(`http://127.0.0.1:${toolsPort}/json/list`)).json();
  const socket = new WebSocket(pages.find(({ type }) => type === 'page').webSocketDebuggerUrl);
  await once(socket, 'open');
  return socket;
}

const socket = await tools();
const answers = new Map();
socket.on('message', text => {
  const { id, method, result, error } = JSON.parse(text);
  const key = id ?? method;
  answers.get(key)?.(error ?? result);
  answers.delete(key);
});
const next = key => new Promise(resolve => answers.set(key, resolve));
let sent = 0;
function call(method, params = {}) {
  const id = ++sent;
  socket.send(JSON.stringify({ id, method, params }));
  return next(id);
}

await call('Page.enable');
await call('Emulation.setDeviceMetricsOverride', { width: 900, height: 500, deviceScaleFactor: 1, mobile: false });
const loaded = next('Page.loadEventFired');
const { errorText } = await call('Page.navigate', { url: `https://localhost:${port}/` });
assert.equal(errorText, undefined);
await loaded;
const evaluated = await call('Runtime.evaluate', { expression: 'visited', awaitPromise: true, returnByValue: true });
assert.deepEqual(
  evaluated.result?.value,
  { page: 'h2', images: 20, upload: true, webSocket: true },
  JSON.stringify(evaluated),
);
const { data } = await call('Page.captureScreenshot', { format: 'png' });
const picture = Buffer.from(data, 'base64');
assert.ok(picture.length > 2000);
if (process.env.LIBRARIES_SCREENSHOT) writeFileSync(process.env.LIBRARIES_SCREENSHOT, picture);

await Promise.race([call('Browser.close'), gone]);
await gone;
rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
server.kill('SIGTERM');
assert.deepEqual(await exited, { code: 0, signal: null });
done('a page with 20 images over HTTP/2, an upload of 5 MiB, a WebSocket echo of 1 MiB');
