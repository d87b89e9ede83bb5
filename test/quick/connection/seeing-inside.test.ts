// What a developer sees of connections from outside: NODE_DEBUG, key logs, names of threads.
import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { needs } from '../../support/capabilities.ts';
import { certificates } from '../../support/certificates.ts';
import { nodeScript } from '../../support/child.ts';
import { within } from '../../support/wait.ts';

/** A server and a client in one process; `options` is text. */
function program(options = '', before = ''): string {
  return `
    import { readdirSync, readFileSync } from 'node:fs';
    import { connect, createServer, IoPool } from 'system-tls';
    const [cert, key, ca] = process.argv.slice(1, 4).map(file => readFileSync(file, 'utf8'));
    ${before}
    const server = createServer({ cert, key, ${options} }, socket => socket.on('error', () => {}).end('secret data'));
    await server.listen({ host: '127.0.0.1' });
    const { port } = server.address();
    const socket = await connect({ host: '127.0.0.1', port, servername: 'localhost', ca, ${options} });
    for await (const chunk of socket) console.log(String(chunk));
    await server.close();
  `;
}

async function run(
  source: string,
  { env = {}, flags = [] as readonly string[] }: { env?: NodeJS.ProcessEnv; flags?: readonly string[] } = {},
): Promise<string> {
  const { server, ca } = certificates();
  const { NODE_DEBUG: _, SSLKEYLOGFILE: __, ...rest } = process.env;
  const args = [server.certFile, server.keyFile, ca.certFile];
  const child = nodeScript(source, { args, flags, env: { ...rest, ...env } });
  const exit = await within(child.exited, 'the program to end');
  assert.deepEqual(exit, { code: 0, signal: null }, child.output);
  return child.output;
}

describe('NODE_DEBUG=system-tls', () => {
  it('tells of states, transports, threads and ends, and of no data and no secrets', async () => {
    const io = 'const io = new IoPool({ threads: 1 });';
    const output = await run(`${program('io', io)}; await io.close();`, { env: { NODE_DEBUG: 'system-tls' } });
    for (const part of [
      /IoPool #\d+: 1 threads/,
      /server: listens on/,
      /TLS server connection from 127\.0\.0\.1:\d+ #\d+: transport: descriptor/,
      /TLS client connection #\d+: made, on an I\/O thread/,
      /handshake begins/,
      /state: (SSLv3\/)?TLS/,
      /handshake done: TLSv1\.3, TLS_\w+, .*full/,
      /alert sent: warning close_notify/,
      /closed/,
    ]) {
      assert.match(output, part);
    }
    assert.doesNotMatch(output, /SYSTEM-TLS.*(secret data|PRIVATE KEY|TRAFFIC_SECRET)/);
  });

  it('tells why a handshake failed', async () => {
    const source = program()
      .replace("servername: 'localhost'", "servername: 'other.example'")
      .replace(/(connect\(.*\));/, '$1.catch(() => []);');
    const output = await run(source, { env: { NODE_DEBUG: 'system-tls' } });
    assert.match(output, /TLS client connection .*: failed: .*certificate verify failed/);
    assert.match(output, /TLS server connection .*: alert received: fatal/);
  });

  it('is silent when it is off, or on for others', async () => {
    assert.equal(
      await run(program(), { env: { NODE_DEBUG: 'tls,http' } }).then(text => /system-tls/i.test(text)),
      false,
    );
    assert.equal(await run(program()), 'secret data\n');
  });
});

describe('key logs', () => {
  let folder = '';
  let file = '';
  beforeEach('makes a folder', () => {
    folder = mkdtempSync(path.join(tmpdir(), 'system-tls-keylog-'));
    file = path.join(folder, 'keys.log');
  });
  afterEach('removes it', () => rmSync(folder, { recursive: true, force: true }));

  const lines = (): string[] => readFileSync(file, 'utf8').trim().split('\n');
  const secret = /^(CLIENT|SERVER)_(HANDSHAKE_)?TRAFFIC_SECRET(_0)? [0-9a-f]{64} [0-9a-f]+$/;

  it('are written by the option keylogFile, for the owner alone, with a warning', async () => {
    const output = await run(program(`keylogFile: '${file}'`));
    assert.match(output, /Warning: Key logs make TLS connections insecure: .*keys\.log/);
    assert.equal(output.match(/Key logs make/g)?.length, 1);
    assert.equal(statSync(file).mode & 0o777, 0o600);
    // Four secrets and the exporter's, by both sides.
    assert.equal(lines().filter(line => secret.test(line)).length, 8);
  });

  it('go to SSLKEYLOGFILE only by keylogFile: true', async () => {
    await run(program(), { env: { SSLKEYLOGFILE: file } });
    assert.equal(existsSync(file), false);
    await run(program('keylogFile: true'), { env: { SSLKEYLOGFILE: file } });
    assert.ok(lines().some(line => secret.test(line)));
  });

  it('keylogFile: true without SSLKEYLOGFILE writes nothing, and warns of nothing', async () => {
    assert.equal(await run(program('keylogFile: true')), 'secret data\n');
  });

  it('are written by --tls-keylog, as of node:tls', async () => {
    for (const flags of [[`--tls-keylog=${file}`], ['--tls-keylog', file]]) {
      await run(program(), { flags });
      assert.ok(lines().some(line => secret.test(line)));
      rmSync(file);
    }
    await run(program(), { env: { NODE_OPTIONS: `--tls-keylog=${file}` } });
    assert.ok(lines().some(line => secret.test(line)));
  });

  it('that cannot be written are no reason to fail', async () => {
    const output = await run(program(`keylogFile: '${folder}'`));
    assert.match(output, /secret data/);
    assert.equal(output.match(/No more keys are logged: EISDIR/g)?.length, 1);
  });

  it('other values are refused', async () => {
    const { SslContext } = await import('system-tls');
    for (const [value, code] of [
      [7, 'ERR_INVALID_ARG_TYPE'],
      ['', 'ERR_INVALID_ARG_VALUE'],
    ] as const) {
      assert.throws(() => new SslContext({ keylogFile: value as never }), { code });
    }
  });
});

describe('threads', () => {
  it('have names', async function () {
    needs(this, existsSync('/proc/self/task'), 'the names of threads in /proc');
    const names = `
      for (const id of readdirSync('/proc/self/task')) console.log(readFileSync('/proc/self/task/' + id + '/comm', 'utf8').trim());
    `;
    const output = await run(`${program('io', 'const io = new IoPool({ threads: 3 });')}; ${names}; await io.close();`);
    for (const name of ['system-tls/0', 'system-tls/1', 'system-tls/2'])
      assert.ok(output.split('\n').includes(name), output);
  });
});
