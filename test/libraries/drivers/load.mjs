// Load on the application, and SIGTERM in the midst of it: what it has begun to answer it answers.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import net from 'node:net';
import { Agent, request } from 'undici';
import { WebSocket } from 'ws';
import { bytes, ca, done, sha256 } from '../common.mjs';
import { start } from './subject.mjs';

const seconds = 4;
const { child, port, exited } = await start();
const origin = `https://localhost:${port}`;
const dispatcher = new Agent({ connect: { ca }, connections: 24, pipelining: 1 });

let leaving = false;
const counts = { visits: 0, orders: 0, slow: 0, echoes: 0, afterwards: 0, unbegun: 0 };

/** A connection that waits for a request is closed by the server when it leaves; a request may be on its way by then. */
function unbegun(error) {
  if (!leaving || !['UND_ERR_SOCKET', 'ECONNRESET'].includes(error.code)) throw error;
  counts.unbegun++;
}

async function ask(path, options) {
  const answer = await request(origin + path, { dispatcher, ...options }).catch(unbegun);
  if (answer === undefined) return {};
  const { statusCode, headers, body } = answer;
  const text = await body.text();
  assert.ok(statusCode < 300, `${path}: ${statusCode} ${text}`);
  if (leaving) counts.afterwards++;
  return { text, cookie: headers['set-cookie']?.split(';')[0] };
}

async function visitor() {
  const { text, cookie } = await ask('/visits');
  assert.equal(text, '1');
  for (let visits = 2; !leaving; visits++, counts.visits++) {
    const answer = await ask('/visits', { headers: { cookie } });
    if (answer.text !== undefined) assert.equal(answer.text, String(visits));
  }
}

async function buyer(number) {
  for (let n = 0; !leaving; n++, counts.orders++) {
    const what = `${number} of ${n}`;
    const headers = { 'content-type': 'application/json' };
    const { text } = await ask('/orders', { method: 'POST', headers, body: JSON.stringify({ what }) });
    if (text !== undefined) assert.deepEqual(JSON.parse(text), { what });
  }
}

async function waiter() {
  for (; !leaving; counts.slow++) {
    const { text } = await ask('/slow');
    if (text !== undefined) assert.equal(text.length, 1_000_000);
  }
}

/** Its end comes from the server. */
async function talker() {
  const socket = new WebSocket(`${origin.replace('https', 'wss')}/echo`, { ca });
  await once(socket, 'open');
  const closed = once(socket, 'close');
  while (!leaving) {
    const message = bytes(100_000);
    const echoed = Promise.race([once(socket, 'message'), closed.then(() => undefined)]);
    socket.send(message);
    const echo = await echoed;
    if (echo === undefined) break;
    assert.equal(sha256(echo[0]), sha256(message));
    counts.echoes++;
  }
  assert.equal((await closed)[0], 1001);
}

const ten = Array.from({ length: 10 }, (_, number) => number);
const work = Promise.all([...ten.map(visitor), ...ten.map(buyer), waiter(), waiter(), talker(), talker()]);
await Promise.race([work, new Promise(resolve => setTimeout(resolve, seconds * 1000))]);
child.kill('SIGTERM');
leaving = true;
await work;
const { visits, orders, slow, echoes, afterwards } = counts;
assert.ok(visits > 100 && orders > 100 && slow > 2 && echoes > 10, JSON.stringify(counts));
// Both that wait are answered, and others.
assert.ok(afterwards >= 2, JSON.stringify(counts));
await assert.rejects(once(net.connect(port, '127.0.0.1'), 'connect'), { code: 'ECONNREFUSED' });
await dispatcher.close();
assert.deepEqual(await exited, { code: 0, signal: null });
console.log(JSON.stringify(counts));
done(`${seconds} s of load, then SIGTERM: each answer that was begun is complete`);
