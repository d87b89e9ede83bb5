import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { openssl } from 'system-tls';
import { needs, needsProgram } from '../../support/capabilities.ts';
import { packageFolder } from '../../support/child.ts';
import { evaluate, type Node, nodes, requireNode, runModule } from '../../support/nodes.ts';
import { bindingsToNode, tracedBindings } from '../../support/openssl-bindings.ts';

interface Refusal {
  code?: string;
  message: string;
  culprit?: string;
  cure?: string;
}

const addon = join(packageFolder, 'build/Release/system_tls.node');
const glibc = 'glibcVersionRuntime' in (process.report.getReport() as { header: object }).header;

/** A node that is linked to the system's OpenSSL has none of its own to fall into. */
const ownOpenssl = process.config.variables.node_shared_openssl !== true;

/** Where OpenSSL looks for it. */
const legacy = join(process.env['OPENSSL_MODULES'] ?? openssl.modulesDirectory, 'legacy.so');

/** Text that prints the error which `expression` ends in, or null. */
const failureOf = (expression: string) => `
  let failure = null;
  try { ${expression}; } catch (error) {
    failure = { code: error.code, message: error.message, culprit: error.culprit, cure: error.cure };
  }
  console.log(JSON.stringify(failure));`;

const useRequire = `
  import { createRequire } from 'node:module';
  import { constants } from 'node:os';
  const require = createRequire(process.cwd() + '/');`;

function assertRefused(failure: Refusal | null, culprit: string): void {
  assert.ok(failure, 'it was loaded');
  assert.equal(failure.code, 'ERR_SYSTEM_TLS_NOT_ISOLATED', failure.message);
  assert.equal(failure.culprit, culprit);
  assert.ok(failure.message.includes(culprit), failure.message);
  assert.ok(failure.cure && failure.message.includes(failure.cure), failure.message);
}

describe('isolation', () => {
  let folder: string;

  before(() => {
    folder = realpathSync(mkdtempSync(join(tmpdir(), 'isolation-')));
  });
  after(() => rmSync(folder, { recursive: true }));

  /** Another addon, which links to this library and is loaded plainly. */
  function plainUser(library: 'ssl' | 'crypto', symbol: string): string {
    const file = join(folder, `plain-${library}.node`);
    if (existsSync(file)) return file;
    const source = join(packageFolder, 'test/fixtures/plain-user-of-openssl.c');
    const args = ['-shared', '-fPIC', `-DLIBRARY_FUNCTION=${symbol}`, '-o', file, source, `-l${library}`];
    execFileSync(process.env['CC'] ?? 'cc', args);
    return file;
  }

  it('holds here', () => {
    assert.equal(openssl.isolated, true);
    assert.match(basename(openssl.libssl), /^libssl\./);
    assert.match(basename(openssl.libcrypto), /^libcrypto\./);
  });

  it('rests on an addon that links to the system and is never unmapped', function () {
    needsProgram(this, 'readelf');
    const dynamic = execFileSync('readelf', ['--dynamic', '--wide', addon], { encoding: 'utf8' });
    for (const library of [openssl.libssl, openssl.libcrypto]) {
      assert.ok(dynamic.includes(`Shared library: [${basename(library)}]`), dynamic);
    }
    assert.match(dynamic, /\(FLAGS_1\).*NODELETE/);
  });

  for (const node of nodes) describe(`on ${node.name}`, () => withNode(node));

  function withNode(node: Node): void {
    it('is proved by addresses and by an error provoked inside libssl', async function () {
      const program = requireNode(this, node);
      const proof = await evaluate<Record<string, string>>(
        program,
        `import { readFileSync } from 'node:fs';
         import { binding } from ${JSON.stringify(join(packageFolder, 'dist/native/load-binding.js'))};
         const { libssl, libcrypto, isolated, provokedError } = binding.opensslInfo();
         const maps = readFileSync('/proc/self/maps', 'utf8');
         console.log(JSON.stringify({ libssl, libcrypto, isolated, provokedError,
           mapped: maps.includes(libssl) && maps.includes(libcrypto) }));`,
      );
      assert.deepEqual(proof, {
        libssl: openssl.libssl,
        libcrypto: openssl.libcrypto,
        isolated: true,
        provokedError: 'null ssl method passed',
        mapped: true,
      });
    });

    describe('refuses', () => {
      beforeEach(function () {
        needs(this, ownOpenssl, 'this node has no OpenSSL of its own that a call could land in');
        needs(this, glibc, 'the ways of loading that are told apart here are those of glibc');
      });

      it('a plain require()', async function () {
        const program = requireNode(this, node);
        const text = `${useRequire} ${failureOf(`require(${JSON.stringify(addon)})`)}`;
        assertRefused(await evaluate(program, text), realpathSync(program));
      });

      it('process.dlopen() without RTLD_DEEPBIND', async function () {
        const program = requireNode(this, node);
        const open = `process.dlopen({ exports: {} }, ${JSON.stringify(addon)}, constants.dlopen.RTLD_NOW)`;
        assertRefused(await evaluate(program, useRequire + failureOf(open)), realpathSync(program));
      });

      it('its own import after a plain load in the same process', async function () {
        const program = requireNode(this, node);
        const text = `${useRequire}
          try { require(${JSON.stringify(addon)}); } catch {}
          ${failureOf(`await import('system-tls')`)}`;
        assertRefused(await evaluate(program, text), realpathSync(program));
      });

      it('its own import after a plain load in another thread', async function () {
        const program = requireNode(this, node);
        const text = `import { Worker } from 'node:worker_threads';
          const worker = new Worker(${JSON.stringify(`${useRequire} try { require(${JSON.stringify(addon)}); } catch {}`)}, { eval: true });
          await new Promise(resolve => worker.on('exit', resolve));
          ${failureOf(`await import('system-tls')`)}`;
        assertRefused(await evaluate(program, text), realpathSync(program));
      });

      it('when another addon has loaded libssl plainly, and names that addon', async function () {
        const program = requireNode(this, node);
        const other = plainUser('ssl', 'TLS_method');
        const text = `${useRequire} require(${JSON.stringify(other)}); ${failureOf(`await import('system-tls')`)}`;
        assertRefused(await evaluate(program, text), other);
      });

      it('a provider that other code has loaded plainly, and names it', async function () {
        const program = requireNode(this, node);
        needs(this, existsSync(legacy), `there is no ${legacy}`);
        const opened = `try { process.dlopen({ exports: {} }, ${JSON.stringify(legacy)}, constants.dlopen.RTLD_NOW); } catch {}`;
        const text = `${useRequire}
          const { openssl } = await import('system-tls');
          ${opened}
          ${failureOf(`openssl.loadProvider('legacy')`)}`;
        assertRefused(await evaluate(program, text), legacy);
      });
    });

    it('is not disturbed by an addon that has loaded libcrypto alone, or else refuses and names it', async function () {
      const program = requireNode(this, node);
      const other = plainUser('crypto', 'EVP_sha256');
      const text = `${useRequire} require(${JSON.stringify(other)}); ${failureOf(`await import('system-tls')`)}`;
      const { bindings } = await tracedBindings(program, text);
      const wrong = bindingsToNode(bindings, program);
      const failure = await evaluate<Refusal | null>(program, text);
      if (failure === null) assert.deepEqual(wrong, []);
      else assertRefused(failure, other);
    });

    describe('by the account of the loader', () => {
      beforeEach(function () {
        needs(this, glibc, 'LD_DEBUG is a thing of glibc');
      });

      it('shows the fault of a plain load (so that the tests below can fail)', async function () {
        needs(this, ownOpenssl, 'this node has no OpenSSL of its own that a call could land in');
        const program = requireNode(this, node);
        const text = `${useRequire} try { require(${JSON.stringify(addon)}); } catch {}`;
        const { bindings } = await tracedBindings(program, text);
        const wrong = bindingsToNode(bindings, program);
        assert.ok(wrong.some(({ from }) => from === 'system_tls.node'));
        assert.ok(wrong.some(({ from }) => from.startsWith('libssl.so')));
      });

      const imports = `const { openssl } = await import('system-tls');`;

      async function assertNoneToNode(test: Mocha.Context, text: string, env: NodeJS.ProcessEnv, expected: string[]) {
        const program = requireNode(test, node);
        const { run, bindings } = await tracedBindings(program, text, env);
        assert.equal(run.code, 0, run.stderr);
        for (const file of expected) {
          assert.ok(
            bindings.some(({ from }) => from.startsWith(file)),
            `${file} was not even loaded`,
          );
        }
        assert.deepEqual(bindingsToNode(bindings, program), []);
      }

      it('nothing of libssl, libcrypto or the addon is bound to node', async function () {
        await assertNoneToNode(this, imports, {}, ['libssl.so', 'libcrypto.so', 'system_tls.node']);
      });

      it('nor anything of a provider loaded by name', async function () {
        needs(this, existsSync(legacy), 'there is no legacy provider');
        const text = `${imports} openssl.loadProvider('legacy');`;
        await assertNoneToNode(this, text, {}, ['legacy.so', 'libssl.so']);
      });

      it('nor anything of a provider that openssl.cnf loads', async function () {
        needs(this, existsSync(legacy), 'there is no legacy provider');
        const config = join(folder, 'legacy.cnf');
        writeFileSync(
          config,
          [
            'openssl_conf = init',
            '[init]',
            'providers = list',
            '[list]',
            'default = on',
            'old.legacy = on',
            '[on]',
            'activate = 1',
          ].join('\n'),
        );
        await assertNoneToNode(this, imports, { OPENSSL_CONF: config }, ['legacy.so', 'libssl.so']);
      });

      it('nor anything of a provider whose file openssl.cnf names by its path, in a file of its own', async function () {
        needs(this, existsSync(legacy), 'there is no legacy provider');
        const config = join(folder, 'including.cnf');
        writeFileSync(config, `openssl_conf = init\n.include ${join(folder, 'included.cnf')}\n`);
        writeFileSync(
          join(folder, 'included.cnf'),
          `[init]\nproviders.mine = list\n[list]\nthing = on\n[on]\nidentity = legacy\nmodule = ${legacy}\nactivate = 1\n`,
        );
        await assertNoneToNode(this, imports, { OPENSSL_CONF: config }, ['legacy.so', 'libssl.so']);
      });

      it('nor anything of an engine that openssl.cnf loads', async function () {
        const engine = 'loader_attic';
        needs(this, openssl.features.engines, 'this OpenSSL has no engines');
        const config = join(folder, 'engine.cnf');
        writeFileSync(config, `openssl_conf = init\n[init]\nengines = list\n[list]\n${engine} = on\n[on]\ninit = 0\n`);
        const program = requireNode(this, node);
        const { run, bindings } = await tracedBindings(program, imports, { OPENSSL_CONF: config });
        assert.equal(run.code, 0, run.stderr);
        needs(
          this,
          bindings.some(({ from }) => from === `${engine}.so`),
          `there is no engine ${engine}`,
        );
        assert.deepEqual(bindingsToNode(bindings, program), []);
      });
    });

    describe('in workers', () => {
      const worker = `import { parentPort } from 'node:worker_threads';
        const { openssl } = await import('system-tls');
        parentPort.postMessage(openssl.isolated);
        setInterval(() => {}, 1000);`;

      it('several at once beside the main thread, some ended in the middle of it', async function () {
        const program = requireNode(this, node);
        const text = `import { Worker } from 'node:worker_threads';
          const start = () => new Worker(${JSON.stringify(worker)}, { eval: true });
          const first = worker => new Promise((resolve, reject) => worker.once('message', resolve).once('error', reject));
          const own = import('system-tls');
          const kept = Array.from({ length: 4 }, start);
          const answers = Promise.all(kept.map(first));
          const hasty = Array.from({ length: 8 }, start);
          await Promise.all(hasty.map((worker, i) => new Promise(resolve => setTimeout(resolve, i * 8)).then(() => worker.terminate())));
          const isolated = await answers;
          await Promise.all(kept.map(worker => worker.terminate()));
          isolated.push((await own).openssl.isolated);
          console.log(JSON.stringify(isolated));`;
        assert.deepEqual(await evaluate(program, text), [true, true, true, true, true]);
      });

      it('alone, and the addon stays mapped when the worker has ended', async function () {
        const program = requireNode(this, node);
        needs(this, existsSync('/proc/self/maps'), 'this system does not list what is mapped');
        const text = `import { readFileSync } from 'node:fs';
          import { Worker } from 'node:worker_threads';
          const mapped = () => readFileSync('/proc/self/maps', 'utf8').includes('system_tls.node');
          const seen = [mapped()];
          for (let i = 0; i < 3; i++) {
            const worker = new Worker(${JSON.stringify(worker)}, { eval: true });
            await new Promise((resolve, reject) => worker.once('message', resolve).once('error', reject));
            await worker.terminate();
            seen.push(mapped());
          }
          console.log(JSON.stringify(seen));`;
        assert.deepEqual(await evaluate(program, text), [false, true, true, true]);
      });
    });

    it('ends cleanly by process.exit(), by itself and by an uncaught error', async function () {
      const program = requireNode(this, node);
      const ways: [string, number][] = [
        ['process.exit(7)', 7],
        ['', 0],
        [`throw new Error('uncaught')`, 1],
      ];
      for (const [way, code] of ways) {
        const run = await runModule(program, `await import('system-tls'); ${way}`);
        assert.deepEqual([run.signal, run.code], [null, code], run.stderr);
      }
    });
  }
});
