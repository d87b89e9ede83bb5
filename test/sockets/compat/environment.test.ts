// What node is told by flags and by the environment, under system-tls/register: each holds for connections here, and without it they differ.
import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import nodeTls from 'node:tls';
import { openssl } from 'system-tls';
import { certificates } from '../../support/certificates.ts';
import { nodeScript } from '../../support/child.ts';
import { within } from '../../support/wait.ts';

const flags = ['--require', 'system-tls/register'];

/** A server, and `attempt(options)`: what became of a connection to it, by whose OpenSSL. */
const preamble = `
  import { readFileSync } from 'node:fs';
  import { once } from 'node:events';
  import tls from 'node:tls';
  const [cert, key] = process.argv.slice(1, 3).map(file => readFileSync(file));
  const serve = async options => {
    const server = tls.createServer({ cert, key, ...options }, socket => socket.on('error', () => {}).end('x'));
    server.on('tlsClientError', () => {});
    await once(server.listen(0, '127.0.0.1'), 'listening');
    return server.address().port;
  };
  const attempt = (port, options) => new Promise(resolve => {
    const socket = tls.connect({ port, host: '127.0.0.1', servername: 'localhost', ...options });
    const tell = told => resolve({ ours: socket._handle?.constructor.name !== 'TLSWrap', ...told });
    socket.once('error', ({ code }) => resolve({ code }));
    socket.once('secureConnect', () => {
      tell({ version: socket.getProtocol(), cipher: socket.getCipher().name, authorized: socket.authorized });
      socket.resume().once('end', () => socket.destroy());
    });
  });
`;

interface Told {
  readonly ours?: boolean;
  readonly version?: string;
  readonly cipher?: string;
  readonly authorized?: boolean;
  readonly code?: string;
}

/** The environment of the tests says whom they trust; here each script says it. */
const nobody = { NODE_EXTRA_CA_CERTS: '', NODE_OPTIONS: '', SSL_CERT_FILE: '/nowhere', SSL_CERT_DIR: '/nowhere' };

async function output(code: string, extra: readonly string[], env: NodeJS.ProcessEnv): Promise<string> {
  const { server } = certificates();
  const child = nodeScript(preamble + code, {
    flags: [...flags, ...extra],
    args: [server.certFile, server.keyFile],
    env: { ...nobody, ...env },
  });
  assert.deepEqual(await within(child.exited, 'the script'), { code: 0, signal: null }, child.output);
  return child.output;
}

/** Of `code`, an expression of `attempt()`. */
async function told(code: string, extra: readonly string[] = [], env: NodeJS.ProcessEnv = {}): Promise<Told> {
  const all = await output(`console.log('told ' + JSON.stringify(await ${code})); process.exit();`, extra, env);
  return JSON.parse(/^told (.*)$/m.exec(all)?.[1] ?? '') as Told;
}

const plain = 'attempt(await serve())';
const lax = 'attempt(await serve(), { rejectUnauthorized: false })';
const trusted = { ours: true, authorized: true };

const part = ({ ours, authorized }: Told): Told => ({ ours: ours as boolean, authorized: authorized as boolean });
const refusesUntrusted = (answer: Told) => assert.match(String(answer.code), /^(UNABLE_TO_|SELF_SIGNED_)/);

describe('what node is told, under system-tls/register', () => {
  it('--tls-max-v1.2, --tls-min-v1.3', async () => {
    assert.equal((await told(lax)).version, 'TLSv1.3');
    const max = await told(lax, ['--tls-max-v1.2']);
    assert.deepEqual([max.ours, max.version], [true, 'TLSv1.2']);
    const old = `attempt(await serve({ minVersion: 'TLSv1.2', maxVersion: 'TLSv1.2' }), { rejectUnauthorized: false })`;
    assert.equal((await told(old)).version, 'TLSv1.2');
    assert.match(String((await told(old, ['--tls-min-v1.3'])).code), /VERSION|PROTOCOL/);
  });

  it('--tls-min-v1.0, --tls-min-v1.1: older versions, where the system has them', async () => {
    const old = `attempt(await serve({ minVersion: 'TLSv1.1', maxVersion: 'TLSv1.1', ciphers: 'DEFAULT@SECLEVEL=0' }),
      { rejectUnauthorized: false })`;
    assert.match(String((await told(old)).code), /VERSION|PROTOCOL/);
    for (const flag of ['--tls-min-v1.0', '--tls-min-v1.1']) {
      // Needs SHA-1 in signatures, which the security levels of systems forbid.
      const answer = await told(old, [flag, '--tls-cipher-list=DEFAULT@SECLEVEL=0']);
      assert.equal(answer.version, 'TLSv1.1');
    }
  });

  it('--tls-cipher-list', async () => {
    for (const name of ['AES256-GCM-SHA384', 'AES128-GCM-SHA256']) {
      const answer = await told(lax, [`--tls-cipher-list=ECDHE-ECDSA-${name}:ECDHE-RSA-${name}`, '--tls-max-v1.2']);
      assert.deepEqual([answer.ours, answer.cipher], [true, `ECDHE-ECDSA-${name}`]);
    }
  });

  it('--tls-keylog', async () => {
    const file = join(mkdtempSync(join(certificates().folder, 'keylog-')), 'keys');
    assert.equal((await told(lax, [`--tls-keylog=${file}`])).ours, true);
    assert.match(readFileSync(file, 'utf8'), /^CLIENT_TRAFFIC_SECRET_0 [0-9a-f]{64} [0-9a-f]+$/m);
  });

  it('NODE_TLS_REJECT_UNAUTHORIZED', async () => {
    refusesUntrusted(await told(plain));
    refusesUntrusted(await told(plain, [], { NODE_TLS_REJECT_UNAUTHORIZED: '1' }));
    assert.deepEqual(part(await told(plain, [], { NODE_TLS_REJECT_UNAUTHORIZED: '0' })), {
      ours: true,
      authorized: false,
    });
  });

  it('NODE_EXTRA_CA_CERTS', async () => {
    assert.deepEqual(part(await told(plain, [], { NODE_EXTRA_CA_CERTS: certificates().ca.certFile })), trusted);
    refusesUntrusted(await told(plain, [], { NODE_EXTRA_CA_CERTS: certificates().otherCa.certFile }));
    const nowhere = `${plain.slice(0, -1)}, {})`;
    refusesUntrusted(await told(nowhere, [], { NODE_EXTRA_CA_CERTS: '/nowhere/at/all.pem' }));
  });

  it('of the file of NODE_EXTRA_CA_CERTS what node reads of it: certificates in PEM, as far as they are whole', async () => {
    const { ca, otherCa } = certificates();
    const folder = mkdtempSync(join(certificates().folder, 'extra-'));
    const damaged = '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n';
    const cut = ca.cert.slice(0, ca.cert.length / 2);
    const der = new X509Certificate(ca.cert).raw;
    const asTrusted = ca.cert.replaceAll('CERTIFICATE', 'TRUSTED CERTIFICATE');
    const contents: readonly (readonly [string | Buffer, trusts: boolean, count: number])[] = [
      [`a word before\n${ca.cert}`, true, 1],
      [`\uFEFF${ca.cert.replaceAll('\n', '\r\n')}`, true, 1],
      [`${asTrusted}${ca.cert}`, true, 1],
      [`${ca.cert}${damaged}${otherCa.cert}`, true, 1],
      [`${otherCa.cert}${damaged}${ca.cert}`, false, 1],
      [`${otherCa.cert}${cut}\n${ca.cert}`, false, 1],
      ['no certificate', false, 0],
      ['', false, 0],
      [cut, false, 0],
      [der, false, 0],
      [asTrusted, false, 0],
    ];
    for (const [content, trusts, count] of contents) {
      const file = join(folder, 'extra.pem');
      writeFileSync(file, content);
      const code = `attempt(await serve()).then(async told => ({
        ...told,
        extra: (await import('system-tls/tls')).getCACertificates('extra').length,
      }))`;
      const { extra, ...answer } = (await told(code, [], { NODE_EXTRA_CA_CERTS: file })) as Told & { extra: number };
      assert.equal(extra, count, String(content));
      if (trusts) assert.deepEqual(part(answer), trusted);
      else refusesUntrusted(answer);
    }
  });

  it('SSL_CERT_FILE and SSL_CERT_DIR are the system’s store', async () => {
    const folder = mkdtempSync(join(certificates().folder, 'trusted-'));
    writeFileSync(join(folder, 'ca.pem'), certificates().ca.cert);
    // Not under the name that OpenSSL looks for.
    refusesUntrusted(await told(plain, [], { SSL_CERT_DIR: folder }));
    await openssl.rehash(folder);
    assert.deepEqual(part(await told(plain, [], { SSL_CERT_DIR: folder })), trusted);
    assert.deepEqual(part(await told(plain, [], { SSL_CERT_DIR: `/nowhere:${folder}` })), trusted);
    assert.deepEqual(part(await told(plain, [], { SSL_CERT_FILE: certificates().ca.certFile })), trusted);
    refusesUntrusted(await told(plain, [], { SSL_CERT_FILE: certificates().otherCa.certFile }));
  });

  it('--use-bundled-ca instead of the system’s store; --use-system-ca and --use-openssl-ca beside it, or alone', async () => {
    const system = { SSL_CERT_FILE: certificates().ca.certFile };
    const bundled = ['--use-bundled-ca'];
    refusesUntrusted(await told(plain, bundled, system));
    refusesUntrusted(await told(plain, [], { ...system, NODE_OPTIONS: '--use-bundled-ca' }));
    assert.deepEqual(part(await told(plain, [...bundled, '--no-use-bundled-ca'], system)), trusted);
    assert.deepEqual(part(await told(plain, ['--use-openssl-ca'], system)), trusted);
    const extra = { ...system, NODE_EXTRA_CA_CERTS: certificates().ca.certFile };
    assert.deepEqual(part(await told(plain, bundled, extra)), trusted);
    if (process.allowedNodeEnvironmentFlags.has('--use-system-ca')) {
      assert.deepEqual(part(await told(plain, ['--use-system-ca'], system)), trusted);
      assert.deepEqual(part(await told(plain, [...bundled, '--use-system-ca'], system)), trusted);
    }
  });

  it('NODE_DEBUG=system-tls says whom it trusts', async () => {
    const { ca } = certificates();
    const says = (extra: readonly string[], env: NodeJS.ProcessEnv) =>
      output('process.exit();', extra, { NODE_DEBUG: 'system-tls', ...env });
    const file = { SSL_CERT_FILE: ca.certFile };
    assert.ok((await says([], file)).includes(`trust the system's store (${ca.certFile}, /nowhere)`));
    const both = await says(['--use-bundled-ca'], { ...file, NODE_EXTRA_CA_CERTS: ca.certFile });
    assert.ok(
      both.includes(`trust the certificates that node brings along and NODE_EXTRA_CA_CERTS (${ca.certFile})`),
      both,
    );
  });

  it('node’s certificates are trusted where the system has none, unless the environment names another place', async () => {
    // As in an image without certificates: nothing is where OpenSSL looks by default.
    const hidden = `
      const fs = process.getBuiltinModule('node:fs');
      const { readFileSync, readdirSync } = fs;
      const hide = read => (file, ...rest) => {
        if (/\\/(cert\\.pem|certs)$/.test(String(file))) throw Object.assign(new Error('hidden'), { code: 'ENOENT' });
        return read(file, ...rest);
      };
      Object.assign(fs, { readFileSync: hide(readFileSync), readdirSync: hide(readdirSync) });
      process.getBuiltinModule('node:module').syncBuiltinESMExports();
      const { default: ours } = await import('system-tls/tls');
      console.log('told ' + ours.getCACertificates().length);`;
    const run = async (env: NodeJS.ProcessEnv): Promise<number> => {
      const child = nodeScript(hidden, { env: { ...nobody, ...env } });
      assert.deepEqual(await within(child.exited, 'the script'), { code: 0, signal: null }, child.output);
      return Number(/^told (\d+)$/m.exec(child.output)?.[1]);
    };
    // Undefined is absent.
    const unnamed = { SSL_CERT_FILE: undefined, SSL_CERT_DIR: undefined };
    assert.equal(await run(unnamed), nodeTls.rootCertificates.length);
    assert.equal(await run({}), 0);
  });

  it('a node:https and a node:http2 that were loaded before are reached too', async () => {
    const { server, ca } = certificates();
    const source = `
      import https from 'node:https';
      import http2 from 'node:http2';
      import { once } from 'node:events';
      import { readFileSync } from 'node:fs';
      const [cert, key, ca] = process.argv.slice(1, 4).map(file => readFileSync(file));
      const who = socket => (socket._handle?.constructor.name === 'TLSWrap' ? 'node' : 'ours');
      const first = https.createServer({ cert, key }, (request, response) => response.end(who(request.socket)));
      const second = http2.createSecureServer({ cert, key }, (request, response) => response.end(who(request.stream.session.socket)));
      for (const each of [first, second]) await once(each.listen(0, '127.0.0.1'), 'listening');
      const there = { host: '127.0.0.1', servername: 'localhost', ca };
      const request = https.get({ ...there, port: first.address().port, agent: false });
      const [response] = await once(request, 'response');
      let text = who(request.socket) + ' ';
      for await (const part of response) text += part;
      const session = http2.connect('https://127.0.0.1:' + second.address().port, there);
      for await (const part of session.request({ ':path': '/' })) text += ' ' + part;
      console.log(text, who(session.socket));
      process.exit();`;
    for (const [before, expected] of [
      [['--require', 'node:https', '--require', 'node:http2', ...flags], 'ours ours ours ours'],
      [['--require', 'node:https', '--require', 'node:http2'], 'node node node node'],
    ] as const) {
      const child = nodeScript(source, { flags: before, args: [server.certFile, server.keyFile, ca.certFile] });
      assert.deepEqual(await within(child.exited, 'the script'), { code: 0, signal: null }, child.output);
      assert.equal(child.output.trim(), expected);
    }
  });

  it('the option io works with node:tls and node:https as they are', async () => {
    const code = `
      const { IoPool } = await import('system-tls');
      const { sslOf } = await import('system-tls/tls');
      const https = await import('node:https');
      const onThread = socket => sslOf(socket).exportKeyingMaterial(32, 'where', Buffer.alloc(0)) instanceof Promise;
      const options = { rejectUnauthorized: false, host: '127.0.0.1' };
      const places = [];
      for (const io of [true, new IoPool({ threads: 1 }), false]) {
        const server = tls.createServer({ cert, key, io });
        await once(server.listen(0, '127.0.0.1'), 'listening');
        const arrival = once(server, 'secureConnection');
        const socket = tls.connect({ ...options, port: server.address().port, io });
        await once(socket, 'secureConnect');
        const [other] = await arrival;
        places.push(onThread(socket), onThread(other));
      }
      const agent = new https.Agent({ keepAlive: true });
      const names = [undefined, true, false].map(io => agent.getName({ host: 'a', io }));
      places.push(new Set(names).size);
      for (const make of [tls.connect, https.get]) {
        try { make({ ...options, port: 1, io: 1 }); } catch ({ code }) { places.push(code); }
      }
      const secureContext = tls.createSecureContext();
      const server = tls.createServer({ cert, key });
      await once(server.listen(0, '127.0.0.1'), 'listening');
      const [{ code }] = await once(tls.connect({ ...options, secureContext, port: server.address().port, io: 1 }), 'error');
      places.push(code);
      console.log('told ' + places.join(' '));
      process.exit();`;
    const invalid = 'ERR_INVALID_ARG_TYPE';
    const expected = `told true true true true false false 3 ${invalid} ${invalid} ${invalid}`;
    assert.ok((await output(code, [], {})).includes(expected));
    assert.ok((await output(code, [], { SYSTEM_TLS_IO_THREADS: '1' })).includes(expected));
  });
});
