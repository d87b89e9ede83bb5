// node --require system-tls/register: an application that knows node:tls alone, over connections of ours.
import assert from 'node:assert/strict';
import { certificates } from '../../support/certificates.ts';
import { type Child, nodeScript } from '../../support/child.ts';
import { within } from '../../support/wait.ts';

const flags = ['--require', 'system-tls/register'];

/** Prints "ours" for each way to a socket whose handle is ours, and "node" otherwise. */
const preamble = `
  import { readFileSync } from 'node:fs';
  import { once } from 'node:events';
  import https from 'node:https';
  import http2 from 'node:http2';
  import tls, { connect } from 'node:tls';
  process.on('warning', warning => console.log('warning', warning.name, warning.message));
  const [cert, key, ca] = process.argv.slice(1, 4).map(file => readFileSync(file));
  const who = socket => (socket._handle?.constructor.name === 'TLSWrap' ? 'node' : 'ours');
  const server = https.createServer({ cert, key }, (request, response) => response.end(who(request.socket)));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address();
  const there = { port, host: '127.0.0.1', servername: 'localhost', ca };
  const text = async response => { let all = ''; for await (const part of response) all += part; return all; };
`;

const all = `
  const [response] = await once(https.get({ ...there, agent: false }), 'response');
  console.log('https server', await text(response));
  for (const [name, make] of [['tls.connect', tls.connect], ['named connect', connect]]) {
    const socket = make(there);
    await once(socket, 'secureConnect');
    console.log(name, who(socket));
    socket.destroy();
  }
  const second = http2.createSecureServer({ cert, key }, (request, response) => response.end('h2 ' + who(request.stream.session.socket)));
  second.listen(0, '127.0.0.1');
  await once(second, 'listening');
  const session = http2.connect('https://localhost:' + second.address().port, { ca, lookup: (name, options, done) => options.all ? done(null, [{ address: '127.0.0.1', family: 4 }]) : done(null, '127.0.0.1', 4) });
  console.log('http2', await text(session.request({ ':path': '/' })));
  session.close();
  process.env.NODE_TLS_REJECT_UNAUTHORIZED = '0';
  console.log('fetch', await (await fetch('https://127.0.0.1:' + port + '/')).text());
  process.exit(0);
`;

function script(code: string, extra: readonly string[] = flags, env: NodeJS.ProcessEnv = {}): Child {
  const { server, ca } = certificates();
  return nodeScript(preamble + code, { flags: extra, args: [server.certFile, server.keyFile, ca.certFile], env });
}

async function linesOf(child: Child): Promise<string[]> {
  assert.deepEqual(await within(child.exited, 'the script'), { code: 0, signal: null }, child.output);
  return child.output.trim().split('\n');
}

describe('system-tls/register', () => {
  it('reaches node:tls, node:https, node:http2 and fetch(), without a warning of its own', async () => {
    const lines = (await linesOf(script(all))).filter(
      line => !/NODE_TLS_REJECT_UNAUTHORIZED|--trace-warnings/.test(line),
    );
    assert.deepEqual(lines, [
      'https server ours',
      'tls.connect ours',
      'named connect ours',
      'http2 h2 ours',
      'fetch ours',
    ]);
  });

  it('puts connections on I/O threads where SYSTEM_TLS_IO_THREADS says so, and refuses what is no number of them', async () => {
    const threads = `
      const { readdirSync } = await import('node:fs');
      const names = () => readdirSync('/proc/self/task').map(task => readFileSync('/proc/self/task/' + task + '/comm', 'utf8').trim());
      const [response] = await once(https.get({ ...there, agent: false }), 'response');
      console.log(await text(response), names().filter(name => name.startsWith('system-tls/')).length);
      process.exit(0);`;
    if (process.platform === 'linux') {
      const env = { SYSTEM_TLS_IO_THREADS: '2' };
      assert.deepEqual(await linesOf(script(threads, flags, env)), ['ours 2']);
      assert.deepEqual(await linesOf(script(threads, flags, { SYSTEM_TLS_IO_THREADS: '' })), ['ours 0']);
    }
    for (const value of ['0', '257', '-1', '1.5', 'many']) {
      const child = script('process.exit(0);', flags, { SYSTEM_TLS_IO_THREADS: value });
      assert.equal((await within(child.exited, 'the script')).code, 1);
      assert.match(child.output, /SYSTEM_TLS_IO_THREADS.*must be a number of threads from 1 to 256/);
    }
  });

  for (const [event, version] of [
    ['newSession', 'TLSv1.2'],
    ['newSession', 'TLSv1.3'],
    ['resumeSession', 'TLSv1.2'],
  ] as const) {
    it(`${event}, ${version}: what a listener throws the process hears, and the server has the connection`, async () => {
      // Some versions of node give what a listener of 'resumeSession' throws to 'tlsClientError', and end the connection.
      const code = `
        const { SSL_OP_NO_TICKET: secureOptions } = (await import('node:crypto')).constants;
        const store = tls.createServer({ cert, key, maxVersion: '${version}', secureOptions }, socket => {
          console.log('secureConnection');
          socket.on('error', () => {}).end('x');
        });
        const fail = () => { throw new Error('of the listener'); };
        let failing = false;
        process.on('uncaughtException', ({ message }) => console.log('uncaught', message));
        store.on('tlsClientError', ({ message }) => console.log('uncaught', message, 'secureConnection'));
        store.on('newSession', (id, data, done) => (failing && '${event}' === 'newSession' ? fail() : done()));
        store.on('resumeSession', (id, done) => (failing ? fail() : done(null, null)));
        await once(store.listen(0, '127.0.0.1'), 'listening');
        let session;
        for (failing of [false, true]) {
          const socket = tls.connect({ ...there, port: store.address().port, maxVersion: '${version}', session });
          socket.on('error', () => {}).on('session', given => { if ('${event}' === 'resumeSession') session = given; });
          await new Promise(closed => socket.resume().once('close', closed));
        }
        process.exit();`;
      for (const SYSTEM_TLS_IO_THREADS of ['', '1']) {
        const lines = await linesOf(script(code, flags, { SYSTEM_TLS_IO_THREADS }));
        const count = (text: string): number => lines.filter(line => line.includes(text)).length;
        assert.equal(count('secureConnection'), 2, lines.join('\n'));
        assert.ok(count('uncaught of the listener') >= 1, lines.join('\n'));
        assert.equal(count('warning'), 0, lines.join('\n'));
      }
    });
  }

  it('is off where SYSTEM_TLS_REGISTER says so, and where it is not required', async () => {
    for (const [extra, env] of [
      [flags, { SYSTEM_TLS_REGISTER: 'off' }],
      [[], {}],
    ] as const) {
      const lines = await linesOf(script(all, extra, env));
      assert.ok(lines.includes('tls.connect node') && lines.includes('https server node'), lines.join('\n'));
    }
  });

  it('trusts the certificates of NODE_EXTRA_CA_CERTS, and nobody where `ca` is an empty list or holds no certificate', async () => {
    const attempts = `
      for (const ca of [undefined, '', [], ['-----BEGIN PRIVATE KEY-----']]) {
        const socket = tls.connect({ ...there, ca });
        const [event] = await Promise.race([
          once(socket, 'secureConnect').then(() => ['authorized']),
          once(socket, 'error').then(([{ code }]) => [code]),
        ]).catch(({ code }) => [code]);
        console.log(event);
        socket.destroy();
      }
      process.exit(0);`;
    const env = { NODE_EXTRA_CA_CERTS: certificates().ca.certFile };
    const unknown = ['UNABLE_TO_VERIFY_LEAF_SIGNATURE', 'UNABLE_TO_VERIFY_LEAF_SIGNATURE'];
    assert.deepEqual(await linesOf(script(attempts, flags, env)), ['authorized', 'authorized', ...unknown]);
    assert.deepEqual(await linesOf(script(attempts, flags)), [...unknown, ...unknown]);
  });

  it('says that it is on, and over which OpenSSL, where NODE_DEBUG asks', async () => {
    const child = script('process.exit(0);', flags, { NODE_DEBUG: 'system-tls' });
    await within(child.exited, 'the script');
    assert.match(child.output, /register: node:tls, node:https and node:http2 connect by OpenSSL 3/);
  });

  it('serves an application under load until it is drained', async () => {
    const child = script(`
      const agent = new https.Agent({ keepAlive: true, maxSockets: 8 });
      const get = async () => text((await once(https.get({ ...there, agent }), 'response'))[0]);
      const answers = await Promise.all(Array.from({ length: 400 }, get));
      console.log(answers.length, new Set(answers).size, answers[0]);
      agent.destroy();
      server.close(() => console.log('drained'));
    `);
    assert.deepEqual(await linesOf(child), ['400 1 ours', 'drained']);
  });
});
