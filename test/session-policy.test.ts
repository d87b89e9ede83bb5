// A session stands for a verification that is not repeated: it resumes only where the policy holds under which the peer
// was accepted, however and whenever a connection was told of its policy.
import assert from 'node:assert/strict';
import { constants } from 'node:crypto';
import type { Ssl, SslContext, SslContextOptions, SslOptions, SslSession } from 'system-tls';
import { certificates } from './support/certificates.ts';
import { rejected } from './support/errors.ts';
import { clientContext, type MemoryPair, makePair, serverContext, tls12, tls13 } from './support/memory-pair.ts';
import { connectTo, startServer } from './support/sockets.ts';
import { until, watch } from './support/wait.ts';

const { ca, stranger } = certificates();
const anyone = () => true;
const untrusted = /^(SELF_SIGNED_CERT_IN_CHAIN|UNABLE_TO_)/;
const noTicket = { secureOptions: constants.SSL_OP_NO_TICKET };
const kinds = [
  ['TLSv1.2 by ticket', tls12, {}],
  ['TLSv1.2 by session id', tls12, noTicket],
  ['TLSv1.3', tls13, {}],
  ['TLSv1.3 stateful', tls13, noTicket],
] as const;

interface Made {
  readonly pair: MemoryPair;
  readonly session: SslSession;
}

/** The newest session of the client after `during`. The connection ends politely, so that the server keeps it. */
async function made(pair: MemoryPair, during: (pair: MemoryPair) => Promise<void>): Promise<Made> {
  let arrived: SslSession | undefined;
  pair.client.on('session', session => {
    arrived = session;
  });
  await during(pair);
  const read = pair.client.read();
  await pair.server.write('x');
  await pair.during(read);
  const session = arrived ?? pair.client.session;
  assert.ok(session, 'a session');
  await pair.during(Promise.all([pair.client.shutdown(), pair.server.shutdown()]));
  return { pair, session };
}

const handshake = async (pair: MemoryPair): Promise<void> => {
  await pair.handshake();
};

for (const [kind, both, kept] of kinds) {
  describe(`the policy of one server connection, ${kind}`, () => {
    const asking = { requestCert: true };
    const serving = (options: SslContextOptions = {}): SslContext =>
      serverContext({ ...both, ...kept, ca: ca.cert, ...options });
    const near = (): SslContext => clientContext({ ...both, cert: stranger.cert, key: stranger.key });
    const pairOf = (far: SslContext, session?: SslSession, serverSsl: Partial<SslOptions> = {}): MemoryPair =>
      makePair({ clientContext: near(), serverContext: far, clientSsl: { session }, serverSsl });

    /** As if there were no session, the strict connection sees a certificate that it does not trust. */
    async function refused(far: SslContext, session: SslSession): Promise<void> {
      const pair = pairOf(far, session);
      watch(pair.client.connect());
      await rejected(pair.during(pair.server.accept()), untrusted);
      assert.equal(pair.server.sessionReused, false);
    }

    it('by setVerify() before accept(): its session passes no connection of the context', async () => {
      const far = serving(asking);
      const lax = pairOf(far);
      lax.server.setVerify({ verify: anyone });
      const { session } = await made(lax, handshake);
      await refused(far, session);
    });

    it('by setVerify() before accept() is the one that the option gives', async () => {
      const far = serving(asking);
      const lax = pairOf(far);
      lax.server.setVerify({ verify: anyone });
      const { session } = await made(lax, handshake);
      const pair = await pairOf(far, session, { verify: anyone }).handshake();
      assert.equal(pair.server.sessionReused, true);
      assert.equal(pair.server.peerCertificate?.subject, 'CN=stranger');
    });

    it('that came back to the context by setVerify() has sessions in common with it', async () => {
      const far = serving({ ...asking, verify: anyone });
      const pair = pairOf(far);
      pair.server.setVerify({ verify: null });
      pair.server.setVerify({ verify: anyone });
      const { session } = await made(pair, handshake);
      const next = await pairOf(far, session).handshake();
      assert.equal(next.server.sessionReused, true);
    });

    it('by setVerify() after the handshake does not relabel what that made', async () => {
      const far = serving({ ...asking, verify: anyone });
      const lax = await made(pairOf(far), async pair => {
        await pair.handshake();
        pair.server.setVerify({ verify: null });
      });
      const pair = pairOf(far, lax.session);
      pair.server.setVerify({ verify: null });
      watch(pair.client.connect());
      await rejected(pair.during(pair.server.accept()), untrusted);
      assert.equal(pair.server.sessionReused, false);
    });

    it('that changes in the middle of a handshake leaves a session that nobody resumes', async () => {
      const far = serving(asking);
      let asked = 0;
      const lax = { verify: () => ++asked > 0 };
      const { session } = await made(pairOf(far, undefined, lax), async pair => {
        const done = Promise.all([pair.client.connect(), pair.server.accept()]);
        // The client's certificate arrives, its Finished does not yet.
        for (let left = 5000; asked === 0 && left > 0; left--) {
          pair.step(1);
          await new Promise(setImmediate);
        }
        assert.equal(asked, 1);
        assert.equal(pair.server.established, false);
        pair.server.setVerify({ verify: null });
        await pair.during(done);
        await pair.pump();
      });
      await refused(far, session);
      const again = await pairOf(far, session, lax).handshake();
      assert.equal(again.server.sessionReused, false);
    });

    it('by ciphers with another security level keeps its sessions to itself', async () => {
      const far = serving({ ...asking, verify: anyone });
      const pair = pairOf(far);
      pair.server.setCiphers('DEFAULT@SECLEVEL=0');
      const { session } = await made(pair, handshake);
      assert.equal((await pairOf(far, session).handshake()).server.sessionReused, false);
    });

    it('that was set for a later request for a certificate goes with the session of that', async () => {
      const far = serving();
      const lax = pairOf(far);
      const later = await made(lax, async ({ server }) => {
        await lax.handshake();
        server.setVerify({ verify: anyone });
        const reading = lax.client.read();
        await lax.during(server.requestClientCertificate());
        await server.write('x');
        await lax.during(reading);
        assert.equal(server.peerCertificate?.subject, 'CN=stranger');
      });
      const strict = await pairOf(far, later.session).handshake();
      assert.equal(strict.server.sessionReused, false);
      assert.equal(strict.server.peerCertificate, null);
      // A renegotiation leaves nothing to resume; a post-handshake authentication does, under its policy.
      const alike = await pairOf(far, later.session, { verify: anyone }).handshake();
      assert.equal(alike.server.sessionReused, both === tls13);
    });
  });
}

it('a server where one connection accepts anybody asks everybody else', async () => {
  let first = true;
  const outcomes: string[] = [];
  const ask = async (ssl: Ssl): Promise<string> => {
    if (ssl.peerCertificate === null) await ssl.requestClientCertificate();
    return `${ssl.peerCertificate?.subject}, reused: ${ssl.sessionReused}`;
  };
  const { port } = await startServer({ ca: ca.cert, minVersion: 'TLSv1.3' }, async socket => {
    if (first) socket.ssl.setVerify({ verify: anyone });
    first = false;
    socket.resume();
    outcomes.push(await ask(socket.ssl).catch(error => error.code));
    if (!socket.destroyed) socket.write('x');
  });
  const sessions: SslSession[] = [];
  const on = { session: (session: SslSession) => void sessions.push(session) };
  const identity = { cert: stranger.cert, key: stranger.key };
  const one = await connectTo(port, { ...identity, on });
  one.resume();
  await until(() => outcomes.length === 1, 'the first certificate');
  // Two of the handshake, then those of the authentication.
  await until(() => sessions.length > 2, 'a session with the certificate');
  one.destroy();
  for (const session of sessions) {
    const before = outcomes.length;
    const other = await connectTo(port, { ...identity, session });
    other.resume();
    await until(() => outcomes.length > before, 'an outcome');
    other.destroy();
  }
  assert.equal(outcomes[0], 'CN=stranger, reused: false');
  for (const outcome of outcomes.slice(1)) assert.match(outcome, untrusted);
});
