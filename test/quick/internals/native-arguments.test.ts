// The native surface with arguments that lib/ never gives: an error with a code, never the end of the process.
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { nodeScript, packageFolder } from '../../support/child.ts';
import { within } from '../../support/wait.ts';

const loading = `
  import 'system-tls';
  import { binding } from ${JSON.stringify(join(packageFolder, 'dist/native/load-binding.js'))};`;

/** What the text of a module prints, which must end by itself and well. */
async function printed(source: string, args: readonly string[] = []): Promise<string> {
  const child = nodeScript(loading + source, { args });
  const exit = await within(child.exited, 'the end of the child');
  assert.deepEqual(exit, { code: 0, signal: null }, child.output.slice(-2000));
  return child.output;
}

/** Names of all options that native code reads, out of its sources: a new one is among them. */
function optionNames(): readonly string[] {
  const folder = join(packageFolder, 'native/binding');
  const files = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter(file => file.endsWith('.cc'));
  const reading = /\b(?:get|objects|read\w*)\((?:reader, )?"(\w+)"/g;
  const names = files.flatMap(file =>
    [...readFileSync(join(folder, file), 'utf8').matchAll(reading)].map(([, name = '']) => name),
  );
  return [...new Set(names)].sort();
}

/** Calls everything there is with anything there is, by seed; prints what was called last if that is its end. */
const anything = `
  import { writeSync } from 'node:fs';
  let state = Number(process.argv[1]);
  const below = count => {
    state = (Math.imul(state, 1103515245) + 12345) >>> 0;
    return (state >>> 8) % count;
  };
  const pick = list => list[below(list.length)];
  const values = [
    undefined, null, true, false, 0, 1, -1, 1.5, NaN, Infinity, 2 ** 31 - 1, -(2 ** 31), 2 ** 32 - 1, 2 ** 53 - 1, 5n,
    '', 'x', '\\0', '.', 'a'.repeat(70000), new Uint8Array(0), new Uint8Array(80), Buffer.alloc(100000, 255),
    new DataView(new ArrayBuffer(3)), [], [1], [new Uint8Array(3)], {}, () => {}, Symbol('x'),
  ];
  const options = ${JSON.stringify(optionNames())};
  const plain = { minVersion: 0, maxVersion: 0, systemCa: false, verifyMode: 0, verifyContinue: false, secureOptions: 0 };
  const made = [new binding.NativeContext(plain), new binding.NativeContext({ ...plain, dtls: true })];
  const pool = new binding.NativeIoPool(9000, 1);
  let id = 9001;
  for (const context of [...made])
    for (const server of [true, false])
      for (const on of [undefined, pool]) made.push(new binding.NativeConnection(context, id++, { server }, on));
  const pair = binding.NativeBio.pair(1000);
  made[2].setBio(pair[0], pair[0]);
  const names = new binding.NativeServerNames({ names: [{ pattern: 'a', tag: 1, context: made[0] }] });
  made.push(...pair, binding.NativeBio.memory(), names);
  made.push(new binding.NativeTicketKeyRing({ secret: new Uint8Array(32), period: 1, overlap: 1 }));
  const argument = () => {
    const kind = below(10);
    if (kind < 5) return pick(values);
    if (kind < 7) return Object.fromEntries(Array.from({ length: 3 }, () => [pick(options), pick(values)]));
    return kind < 8 ? pick(made) : below(1000);
  };
  // Descriptors are the process's own, and a listener would keep a port.
  const left = ['setFd', 'setDispatch', 'connectDatagram', 'NativeFile', 'listen', 'refuse', 'stop', 'loadProvider'];
  const functions = Object.keys(binding).filter(name => !left.includes(name) && typeof binding[name] === 'function');
  const members = object => Object.getOwnPropertyNames(object).filter(name => !left.includes(name) && name !== 'constructor');
  function random() {
    const args = Array.from({ length: below(6) }, argument);
    if (below(3) > 0) {
      const name = pick(functions);
      const type = binding[name];
      if (!name.startsWith('Native')) return [name, () => type(...args)];
      // Each of its threads costs memory.
      if (name === 'NativeIoPool' && typeof args[1] === 'number' && args[1] > 2 && args[1] <= 256) args[1] = 2;
      const statics = members(type).filter(each => typeof type[each] === 'function' && each !== 'prototype');
      const method = pick([undefined, ...statics]);
      return method === undefined ? ['new ' + name, () => new type(...args)] : [name + '.' + method, () => type[method](...args)];
    }
    const object = pick(made);
    const prototype = Object.getPrototypeOf(object);
    const name = pick(members(prototype));
    if (name === undefined || (name === 'close' && below(20) > 0)) return ['nothing', () => {}];
    const { get } = Object.getOwnPropertyDescriptor(prototype, name);
    return [prototype.constructor.name + '.' + name, () => (get === undefined ? object[name](...args) : object[name])];
  }
  for (let call = 0; call < 4000; call++) {
    const [label, act] = random();
    writeSync(1, label + '\\n');
    try {
      const result = act();
      if (made.length < 60 && /^Native(?!IoPool)/.test(result?.constructor?.name)) made.push(result);
    } catch (error) {
      if (typeof error.code !== 'string' && !/convert|Symbol|iterable/.test(error.message)) throw error;
    }
    if (call % 50 === 0) await new Promise(setImmediate);
  }
  process.exit(0);`;

describe('native code given anything', () => {
  it('is given each of its options', () => {
    const types = readFileSync(join(packageFolder, 'types/binding.d.ts'), 'utf8');
    const names = optionNames();
    for (const [, type = '', body = ''] of types.matchAll(
      /^export interface (Native\w*(?:Options|Settings|Credentials)) [^{]*\{(.*?)^\}/gms,
    )) {
      const fields = [...body.matchAll(/^ {2}readonly (\w+)/gm)].map(([, name = '']) => name);
      assert.ok(fields.length > 0, type);
      for (const name of fields) assert.ok(names.includes(name), `${type}.${name}`);
    }
  });

  it('refuses a pool with more threads than there can be, and begins one without any', async () => {
    const text = await printed(`
      for (const threads of [257, 100000, 1431655766, 2 ** 32 - 1, -1, 2 ** 32, 1.5, NaN, '1', undefined]) {
        try {
          new binding.NativeIoPool(9000, threads);
          console.log('made', threads);
        } catch (error) {
          console.log(error.code);
        }
      }
      const pool = new binding.NativeIoPool(9001, 0);
      for (const index of [0, 1, -1, 1.5, 2 ** 32, '0', undefined]) {
        try { console.log(pool.retireThread(index)); } catch (error) { console.log(error.code); }
      }
      for (const most of [0, -1, '1', undefined]) {
        try { pool.addThread(most); } catch (error) { console.log(error.code); }
      }
      for (const act of [() => {}, () => pool.addThread(2), () => pool.addThread(2), () => pool.close()]) {
        act();
        console.log(pool.connections.length, pool.measure().length);
      }
      try { pool.addThread(2); } catch (error) { console.log(error.code); }
      console.log(pool.retireThread(0));
      pool.stop();
      new binding.NativeIoPool(9001, 1).stop();
      console.log('one');`);
    const range = Array.from({ length: 4 }, () => 'ERR_OUT_OF_RANGE');
    const type = Array.from({ length: 6 }, () => 'ERR_INVALID_ARG_TYPE');
    assert.deepEqual(text.trim().split('\n'), [
      ...[...range, ...type],
      ...['false', 'false', ...type.slice(0, 5)],
      ...['ERR_OUT_OF_RANGE', ...type.slice(0, 3)],
      ...['0 0', '1 1', '2 2', '2 0'],
      ...['ERR_TLS_CLOSED', 'false', 'one'],
    ]);
  });

  it('refuses names that are based on what is none, or remove what is no text', async () => {
    const text = await printed(`
      const plain = { minVersion: 0, maxVersion: 0, systemCa: false, verifyMode: 0, verifyContinue: false, secureOptions: 0 };
      const context = new binding.NativeContext(plain);
      const base = new binding.NativeServerNames({ names: [{ pattern: 'a', tag: 1, context }] });
      for (const options of [
        { base: {} }, { base: context }, { base: 7 }, { base: Object.create(binding.NativeServerNames.prototype) },
        { base, removed: 'a' }, { base, removed: [7] }, { base, removed: ['a', null] }, { base, names: [{ pattern: 'b' }] },
        { base, removed: [] }, { base, removed: ['b'], names: [] }, { base: null, removed: ['a'] }, {},
      ]) {
        try {
          new binding.NativeServerNames(options);
          console.log('made');
        } catch (error) {
          console.log(error.code);
        }
      }`);
    const refused = Array.from({ length: 8 }, () => 'ERR_INVALID_ARG_TYPE');
    assert.deepEqual(text.trim().split('\n'), [...refused, 'made', 'made', 'made', 'made']);
  });

  for (const seed of [1, 2, 3]) {
    it(`goes on, seed ${seed}`, async () => void (await printed(anything, [String(seed)])));
  }
});
