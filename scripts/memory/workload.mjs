// What valgrind watches: each round uses every path that allocates, with good and bad ends. Argument: rounds.
// Errors that a round provokes are part of it; anything unexpected ends the process with a code.

import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { connect as connectTcp } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Bio, connect, createServer, Ssl, SslContext, SslSession } from 'system-tls';
import { questions } from './questions.mjs';
import { sessions } from './sessions.mjs';

const rounds = Number(process.argv[2]);
const folder = mkdtempSync(join(tmpdir(), 'system-tls-memory-'));
const files = { cert: join(folder, 'cert.pem'), key: join(folder, 'key.pem') };
const subject = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost,IP:127.0.0.1'];
const newKey = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-keyout', files.key];
execFileSync('openssl', ['req', '-x509', ...newKey, '-out', files.cert, '-days', '2', ...subject], { stdio: 'ignore' });
const identity = { cert: readFileSync(files.cert), key: readFileSync(files.key) };
rmSync(folder, { recursive: true });

/** @param {import('system-tls').TlsSocket} socket */
const closed = socket => new Promise(resolve => socket.once('close', resolve));
const ignore = () => {};

const server = createServer({ ...identity, clientRenegotiation: true }, socket => {
  socket.on('error', ignore);
  socket.pipe(socket);
});
server.on('tlsClientError', ignore);
await server.listen({ port: 0, host: '127.0.0.1' });
const address = server.address();
if (address === null || typeof address === 'string') throw new Error('the server has no port');
const { port } = address;

/** @param {import('system-tls').ConnectOptions} [options] */
async function client(options) {
  const socket = await connect({ host: 'localhost', port, ca: identity.cert, ...options });
  socket.on('error', ignore);
  return socket;
}

async function streams() {
  const socket = await client();
  socket.write(Buffer.alloc(100_000, 1));
  await new Promise(resolve => socket.once('data', resolve));
  await socket.keyUpdate({ requestPeer: true });
  socket.resume();
  socket.end();
  await closed(socket);
}

async function renegotiations() {
  const socket = await client({ maxVersion: 'TLSv1.2' });
  socket.resume();
  await socket.renegotiate();
  await socket.renegotiate({ abbreviated: true });
  socket.destroy();
  await closed(socket);
}

async function resumption() {
  const first = await client({ maxVersion: 'TLSv1.2' });
  const session = SslSession.from(first.ssl.session?.serialize() ?? Buffer.alloc(0));
  first.destroy();
  const second = await client({ maxVersion: 'TLSv1.2', session });
  second.destroy();
  await closed(second);
}

async function inMemory() {
  const [a, b] = Bio.pair();
  const near = new Ssl(new SslContext({ ca: identity.cert }), { side: 'client', host: 'localhost' });
  const far = new Ssl(new SslContext(identity), { side: 'server' });
  near.setBio(a, a);
  far.setBio(b, b);
  await Promise.all([near.connect(), far.accept()]);
  const reading = far.readInto(Buffer.alloc(1000));
  await near.write('hello');
  await reading;
  const abandoned = far.read().catch(ignore);
  near.close();
  far.close();
  await abandoned;
}

/**
 * A handshake in memory in which both ends ask, a client by a retry and a server in an ASYNC job.
 * @param {import('system-tls').Verify} client
 * @param {import('system-tls').Verify} [verify]
 * @param {import('system-tls').SslContextOptions} [both]
 */
function askingPair(client, verify = client, both = {}) {
  const [a, b] = Bio.pair();
  const near = new Ssl(new SslContext({ ...identity, ...both }), { side: 'client', host: 'localhost', verify: client });
  const far = new Ssl(new SslContext({ ...identity, ...both, requestCert: true, verify }), { side: 'server' });
  near.setBio(a, a);
  far.setBio(b, b);
  return { near, far, done: Promise.all([near.connect(), far.accept()]) };
}

async function verifications() {
  for (const maxVersion of /** @type {const} */ (['TLSv1.2', 'TLSv1.3'])) {
    const both = { maxVersion };
    /** @type {import('system-tls').Verify} */
    const later = () => new Promise(resolve => setImmediate(resolve, true));
    const never = () => new Promise(ignore);
    for (const verify of [() => true, later, () => 'CERT_REVOKED', () => Promise.reject(new Error('no'))]) {
      const { near, far, done } = askingPair(later, verify, both);
      await done.catch(ignore);
      // TLS 1.3: the client is through before the server has decided.
      const reading = near.read().catch(ignore);
      near.close();
      far.close();
      await reading;
    }
    for (const [client, server] of /** @type {const} */ ([
      [never, later],
      [later, never],
    ])) {
      const { near, far, done } = askingPair(client, server, both);
      await new Promise(resolve => setTimeout(resolve, 50));
      near.close();
      far.close();
      await done.catch(ignore);
    }
    await inRead(both, later);
    await inRead(both, never);
  }
}

/**
 * Asked for later, so the question comes inside SSL_read.
 * @param {import('system-tls').SslContextOptions} both
 * @param {import('system-tls').Verify} verify
 */
async function inRead(both, verify) {
  const [a, b] = Bio.pair();
  const near = new Ssl(new SslContext({ ...identity, ...both, ca: identity.cert }), {
    side: 'client',
    host: 'localhost',
  });
  const far = new Ssl(new SslContext({ ...identity, ...both, verify }), { side: 'server' });
  near.setBio(a, a);
  far.setBio(b, b);
  await Promise.all([near.connect(), far.accept()]);
  const reading = near.read().catch(ignore);
  await far.requestClientCertificate({ timeout: 100 }).catch(ignore);
  near.close();
  far.close();
  await reading;
}

async function refusals() {
  await client({ ca: [] }).catch(ignore);
  await connect({ host: 'localhost', port, ca: identity.cert, servername: 'elsewhere.example' }).catch(ignore);
  const plain = connectTcp(port, '127.0.0.1', () => plain.end('GET / HTTP/1.0\r\n\r\n'));
  plain.on('error', ignore).resume();
  await new Promise(resolve => plain.once('close', resolve));
  const aborted = new AbortController();
  const connecting = client({ signal: aborted.signal }).catch(ignore);
  aborted.abort();
  await connecting;
  try {
    new SslContext({ cert: 'no certificate' });
  } catch {}
}

for (let round = 0; round < rounds; round++) {
  await streams();
  await renegotiations();
  await resumption();
  await inMemory();
  await verifications();
  await questions(identity);
  await sessions(identity);
  await refusals();
  if (typeof globalThis.gc === 'function') globalThis.gc();
}
await server.close();
console.log(`${rounds} rounds`);
