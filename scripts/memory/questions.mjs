// Handshakes that ask functions, each kind with every answer that takes a way of its own, in memory and over sockets whose connections are
// on a thread.
import { Bio, connect, createServer, IoPool, Ssl, SslContext } from 'system-tls';

/** @import { ConnectOptions, ServerOptions } from 'system-tls' */
/** @typedef {{ cert: Buffer, key: Buffer }} Identity */
/** @typedef {(...given: unknown[]) => unknown} Call */

/**
 * @typedef {object} Kind
 * @property {string} name
 * @property {() => unknown} right  goes on
 * @property {() => unknown} refusal  ends the handshake: a refusal, or what is no answer
 * @property {(call: never) => { server?: ServerOptions, client?: Partial<ConnectOptions> }} options
 */

const ignore = () => {};
const turn = () => new Promise(resolve => setImmediate(resolve));

/** @type {import('system-tls').SslContextOptions} */
const tls12 = { minVersion: 'TLSv1.2', maxVersion: 'TLSv1.2' };
/** @type {import('system-tls').SslContextOptions} */
const tls13 = { minVersion: 'TLSv1.3', maxVersion: 'TLSv1.3' };

const protocols = ['a', 'b'];
const psk = { identity: 'one', key: Buffer.alloc(32, 1) };
/** The form of an OCSP response, and nothing inside. */
const response = Buffer.from('30150a0100a010300e06092b0601050507300101040178', 'hex');

/** @param {Identity} identity @returns {Kind[]} */
const kindsWith = identity => {
  const verifies = { requestCert: true, ca: identity.cert };
  return [
    {
      name: 'onClientHello',
      right: () => ({ ALPNProtocols: ['b'], ...identity, verify: () => true, requestCert: true }),
      refusal: () => ({ alert: 'access_denied' }),
      options: call => ({ server: { onClientHello: call }, client: { ...identity, ALPNProtocols: protocols } }),
    },
    {
      name: 'onServerName',
      right: () => new SslContext(identity),
      refusal: () => 7,
      options: call => ({ server: { onServerName: call } }),
    },
    {
      name: 'onALPN',
      right: () => 'b',
      refusal: () => null,
      options: call => ({ server: { onALPN: call }, client: { ALPNProtocols: protocols } }),
    },
    {
      name: 'onCertificate of a server',
      right: () => ({ ...identity }),
      refusal: () => ({ cert: identity.cert }),
      options: call => ({ server: { onCertificate: call } }),
    },
    {
      name: 'onStatusRequest',
      right: () => response,
      refusal: () => Buffer.from('no response'),
      options: call => ({ server: { onStatusRequest: call }, client: { requestOCSP: true } }),
    },
    {
      name: 'onPsk of a server',
      right: () => psk.key,
      refusal: () => null,
      options: call => ({ server: { onPsk: call, pskRequired: true }, client: { psk, pskRequired: true } }),
    },
    {
      name: 'onCertificate of a client',
      right: () => ({ ...identity }),
      refusal: () => ({ cert: identity.cert }),
      options: call => ({ server: verifies, client: { onCertificate: call } }),
    },
    {
      name: 'onStatus',
      right: () => true,
      refusal: () => false,
      options: call => ({ server: { onStatusRequest: () => response }, client: { onStatus: call } }),
    },
    {
      name: 'onPsk of a client',
      right: () => psk,
      refusal: () => null,
      options: call => ({ server: { psk }, client: { onPsk: call, pskRequired: true } }),
    },
  ];
};

const goodAnswers = 2;

/**
 * The answers of a kind: with the first ones the handshake goes on. `leave` ends both sides.
 * @param {Kind} kind
 * @returns {Array<(leave: () => void) => Call>}
 */
const answersOf = ({ right, refusal }) => [
  () => right,
  () => () => turn().then(right),
  () => refusal,
  () => () => turn().then(refusal),
  () => () => {
    throw new Error('on purpose');
  },
  () => () => turn().then(() => Promise.reject(new Error('on purpose'))),
  // Closed inside: at once, before the answer comes, and without any.
  () =>
    (...given) => {
      sslOf(given).close();
      return right();
    },
  () =>
    async (...given) => {
      await turn();
      sslOf(given).close();
      return right();
    },
  leave => () => {
    setImmediate(leave);
    return new Promise(ignore);
  },
];

/** Functions get their request last, and with it the connection. @param {unknown[]} given */
const sslOf = given => /** @type {{ ssl: Ssl }} */ (given.at(-1)).ssl;

/** The function is of the right type for one option alone. @param {Kind} kind @param {Call} call */
const optionsOf = ({ options }, call) => options(/** @type {never} */ (call));

/**
 * @typedef {object} Handshake
 * @property {Kind} kind
 * @property {(leave: () => void) => Call} answer
 * @property {Identity} identity
 * @property {import('system-tls').SslContextOptions} both
 */

/** Whether it was completed, and carries data. @param {Handshake} handshake */
async function inMemory({ kind, answer, identity, both }) {
  const [a, b] = Bio.pair();
  const leave = () => {
    near.close();
    far.close();
  };
  const { server, client } = optionsOf(kind, answer(leave));
  const clientContext = new SslContext({ ca: identity.cert, ...both, ...client });
  const near = new Ssl(clientContext, { side: 'client', servername: 'localhost' });
  const far = new Ssl(new SslContext({ ...identity, ...both, ...server }), { side: 'server' });
  near.setBio(a, a);
  far.setBio(b, b);
  await Promise.allSettled([near.connect(), far.accept()]);
  // TLS 1.3: a client may be through before its server has decided; and tickets come behind the handshake.
  const reading = near.read().catch(ignore);
  await far.write('x').catch(leave);
  const carried = String(await reading) === 'x';
  leave();
  return carried;
}

/** The same. @param {Handshake} handshake @param {IoPool} io */
async function onThread({ kind, answer, identity, both }, io) {
  const aborter = new AbortController();
  const leave = () => {
    aborter.abort();
    running.closeAllConnections();
  };
  const { server, client } = optionsOf(kind, answer(leave));
  // Its timer would keep the server for two minutes.
  const untimed = { handshakeTimeout: Number.POSITIVE_INFINITY };
  const running = createServer({ ...untimed, ...identity, ...both, ...server, io }, socket => {
    socket.on('error', ignore).resume().end('x');
  });
  running.on('tlsClientError', ignore);
  await running.listen({ port: 0, host: '127.0.0.1' });
  const { port } = /** @type {import('node:net').AddressInfo} */ (running.address());
  const options = { host: '127.0.0.1', port, servername: 'localhost', ca: identity.cert, signal: aborter.signal, io };
  let carried = false;
  try {
    const socket = await connect({ ...options, ...both, ...client });
    const closed = new Promise(resolve => socket.once('close', resolve));
    socket.on('error', ignore).on('data', () => {
      carried = true;
    });
    socket.end();
    await closed;
  } catch {}
  await running.close();
  return carried;
}

/** @param {Identity} identity */
export async function questions(identity) {
  const io = new IoPool({ threads: 1 });
  for (const kind of kindsWith(identity)) {
    for (const [index, answer] of answersOf(kind).entries()) {
      const carried = [
        await inMemory({ kind, answer, identity, both: tls12 }),
        await inMemory({ kind, answer, identity, both: tls13 }),
        // A thread costs much more here, and does not care about versions.
        await onThread({ kind, answer, identity, both: index % 2 === 0 ? tls12 : tls13 }, io),
      ];
      if (carried.every(each => each === index < goodAnswers)) continue;
      throw new Error(`${kind.name}, answer ${index}: carries data: ${carried}`);
    }
  }
  await io.close();
}
