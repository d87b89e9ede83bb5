// A thread that is stopped in the middle of everything: an I/O thread by the end of its pool, a worker by terminate().
import assert from 'node:assert/strict';
import { endsWith, run } from '../../support/scripts.ts';

const underWay = JSON.stringify(new URL('../../support/under-way.js', import.meta.url).href);
const workerFile = JSON.stringify(new URL('../../support/worker.js', import.meta.url).pathname);

describe('with all kinds of operations under way', () => {
  it('an IoPool that is closed settles each with a code, closes sockets and servers, and the process ends by itself', async () => {
    const child = run(`
      import { startAll } from ${underWay};
      const own = new IoPool({ threads: 2 });
      const all = await startAll({ cert, key, ca }, own);
      // What has ended by now was not under way.
      let early = true;
      const tell = name => early && console.log('too early:', name);
      for (const [name, promise] of all.pending) promise.then(() => tell(name), () => tell(name));
      await new Promise(resolve => setTimeout(resolve, 50));
      early = false;
      await own.close();
      for (const [name, promise] of all.pending) console.log('settled:', name, await promise.catch(error => error.code));
      for (const promise of all.closing.values()) await promise;
      console.log('closed:', all.closing.size);
      all.end();
      await io?.close();
    `);
    await endsWith(child, 0, 'the process');
    const settled = [...child.output.matchAll(/^settled: (.*) (\S+)$/gm)];
    assert.ok(settled.length >= 14, child.output);
    for (const [line, , code] of settled) assert.equal(code, 'ERR_TLS_CLOSED', `${line}\n${child.output}`);
    assert.match(child.output, /^closed: \d+$/m);
    assert.doesNotMatch(child.output, /too early/);
  });

  it('an IoPool that is closed twice at once, and a process that exits meanwhile, end all the same', async () => {
    const child = run(`
      import { startAll } from ${underWay};
      const own = new IoPool({ threads: 2 });
      await startAll({ cert, key, ca }, own);
      void own.close();
      void own.close();
      process.exit(7);
    `);
    await endsWith(child, 7, 'the process');
  });

  for (const how of ['terminated', 'at its end by process.exit()']) {
    it(`a worker that is ${how} leaves no descriptor, and the process ends by itself`, async () => {
      const child = run(`
        import { readdirSync, readlinkSync } from 'node:fs';
        import { Worker } from 'node:worker_threads';
        const sockets = () => readdirSync('/proc/self/fd').filter(fd => {
          try { return readlinkSync('/proc/self/fd/' + fd).startsWith('socket:'); } catch { return false; }
        }).length;
        const start = () => new Promise((resolve, reject) => {
          const mode = ${JSON.stringify(how === 'terminated' ? 'all' : 'all-and-exit')};
          const worker = new Worker(${workerFile}, { execArgv: [], workerData: { cert, key, ca, mode } });
          worker.on('error', reject).on('exit', resolve);
          worker.on('message', what => {
            console.log(what);
            if (${how === 'terminated'}) worker.terminate();
          });
        });
        const before = sockets();
        await Promise.all([start(), start()]);
        for (let i = 0; i < 3000 && sockets() > before; i++) await new Promise(resolve => setTimeout(resolve, 20));
        console.log(sockets() - before, 'left over');
      `);
      await endsWith(child, 0, 'the process');
      assert.equal(child.output.match(/in the middle/g)?.length, 2, child.output);
      assert.match(child.output, /^0 left over$/m);
    });
  }
});
