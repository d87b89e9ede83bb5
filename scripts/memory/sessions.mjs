// Sessions that the application keeps, by a store and by keys in common, and the application's bytes inside of them.
import { Bio, Ssl, SslContext, TicketKeyRing } from 'system-tls';

/** @import { SslContextOptions, SslSession } from 'system-tls' */
/** @typedef {{ cert: Buffer, key: Buffer }} Identity */

const turn = () => new Promise(resolve => setImmediate(resolve));

/**
 * A connection between two contexts; gives the session that the client then holds, and what came of the one that it offered.
 * @param {SslContext} clientContext
 * @param {SslContext} serverContext
 * @param {SslSession | undefined} session
 */
async function visit(clientContext, serverContext, session) {
  const [a, b] = Bio.pair();
  /** @type {SslSession[]} */
  const made = [];
  const on = { session: (/** @type {SslSession} */ next) => void made.push(next) };
  const near = new Ssl(clientContext, { side: 'client', servername: 'localhost', on, ...(session && { session }) });
  const far = new Ssl(serverContext, { side: 'server' });
  near.setBio(a, a);
  far.setBio(b, b);
  try {
    await Promise.all([near.connect(), far.accept()]);
    const reading = near.read();
    await far.write('x');
    await reading;
    const { sessionReused } = far;
    const { ticketAppData } = far.session ?? {};
    await Promise.all([near.shutdown(), far.shutdown()]);
    return { session: made.at(-1) ?? session, resumed: sessionReused, data: String(ticketAppData) };
  } catch {
    return { session, resumed: false, data: 'closed' };
  } finally {
    near.close();
    far.close();
  }
}

/** @param {string} what @param {unknown} actual @param {unknown} expected */
function expect(what, actual, expected) {
  if (actual !== expected) throw new Error(`${what}: ${actual} instead of ${expected}`);
}

/**
 * Ways to look a session up, and whether it is resumed then.
 * @type {Array<(find: (id: Buffer) => Buffer | undefined) => [NonNullable<SslContextOptions['onResumeSession']>, boolean]>}
 */
const lookups = [
  find => [find, true],
  find => [id => turn().then(() => find(id)), true],
  () => [() => null, false],
  () => [() => Buffer.from('no session'), false],
  () => [() => Promise.reject(new Error('on purpose')), false],
  find => [(id, { ssl }) => closing(ssl, find(id)), false],
  find => [(id, { ssl }) => turn().then(() => closing(ssl, find(id))), false],
];

/** @template T @param {Ssl} ssl @param {T} answer */
function closing(ssl, answer) {
  ssl.close();
  return answer;
}

/** @param {Identity} identity @param {SslContextOptions} both */
async function inStore(identity, both) {
  const client = new SslContext({ ...both, ca: identity.cert });
  for (const lookup of lookups) {
    const store = new Map();
    const [find, resumes] = lookup(id => store.get(id.toString('hex')));
    let looks = false;
    const server = new SslContext({
      ...{ ...identity, ...both },
      onNewSession: (id, bytes) => store.set(id.toString('hex'), bytes),
      // Up to TLS 1.2 a client offers an id of its own.
      onResumeSession: (id, request) => (looks ? find(id, request) : null),
      onRemoveSession: id => store.delete(id.toString('hex')),
      onClientHello: (_hello, { ssl }) => {
        ssl.setTicketAppData(Buffer.alloc(500, 'a'));
        return null;
      },
    });
    const { session, data } = await visit(client, server, undefined);
    expect('the data of a first session', data, 'a'.repeat(500));
    looks = true;
    expect(`a session found by ${find}`, (await visit(client, server, session)).resumed, resumes);
  }
}

/** @param {Identity} identity @param {SslContextOptions} both */
async function byRing(identity, both) {
  const rings = [1, 1, 2].map(secret => new TicketKeyRing({ secret: Buffer.alloc(32, secret), overlap: 3 }));
  const servers = rings.map(ticketKeys => new SslContext({ ...identity, ...both, ticketKeys, onCertificate }));
  const client = new SslContext({ ...both, ca: identity.cert });
  let { session } = await visit(client, /** @type {SslContext} */ (servers[2]), undefined);
  const resumed = async () => {
    let count = 0;
    for (const server of servers) {
      const met = await visit(client, server, session);
      session = met.session;
      count += Number(met.resumed);
      expect('the data of a session', met.data, 'kept');
    }
    return count;
  };
  expect('sessions of one ring', await resumed(), 1);
  for (const server of servers) server.ticketKeys = new TicketKeyRing({ secret: Buffer.alloc(32, 3) });
  expect('sessions of one new ring', await resumed(), 2);
}

/** @param {import('system-tls').CertificateRequest} request */
function onCertificate({ ssl }) {
  for (const data of [Buffer.from('replaced'), null, Buffer.from('kept')]) ssl.setTicketAppData(data);
  return null;
}

/** @param {Identity} identity */
export async function sessions(identity) {
  for (const version of /** @type {const} */ (['TLSv1.2', 'TLSv1.3'])) {
    const both = { minVersion: version, maxVersion: version };
    await inStore(identity, both);
    await byRing(identity, both);
  }
}
