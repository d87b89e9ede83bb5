// What a connection tells of itself, without waiting for the thread that it lives on.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import type { ConnectOptions, ServerOptions, Ssl, SslSession, TlsSocket } from 'system-tls';
import { IoPool } from 'system-tls';
import { certificates } from '../../support/certificates.ts';
import { codes } from '../../support/codes.ts';
import { rejected, thrown } from '../../support/errors.ts';
import { connectTo, pool, socketPair, startServer } from '../../support/sockets.ts';
import { until, within } from '../../support/wait.ts';

const [tls12, tls13] = (['TLSv1.2', 'TLSv1.3'] as const).map(version => ({
  minVersion: version,
  maxVersion: version,
})) as [ConnectOptions & ServerOptions, ConnectOptions & ServerOptions];

/** Everything that has no end of its own. */
const told = (ssl: Ssl) => ({
  side: ssl.side,
  established: ssl.established,
  version: ssl.version,
  cipher: ssl.cipher?.name,
  group: ssl.group,
  alpnProtocol: ssl.alpnProtocol,
  servername: ssl.servername,
  sessionReused: ssl.sessionReused,
  verifyResult: ssl.verifyResult.code,
  peer: ssl.peerCertificate?.subject,
  chain: ssl.peerCertificateChain.map(({ subject }) => subject),
  verified: ssl.verifiedChain.map(({ subject }) => subject),
  peerCaList: ssl.peerCaList,
  sharedSigalgs: ssl.sharedSigalgs,
  ephemeralKey: ssl.ephemeralKey,
  own: ssl.certificate?.subject,
  clientCaList: ssl.clientCaList,
  keyUpdateType: ssl.keyUpdateType,
  renegotiatePending: ssl.renegotiatePending,
  renegotiations: ssl.renegotiations,
  shutdownState: ssl.shutdownState,
  quietShutdown: ssl.quietShutdown,
  bufferedAmount: ssl.bufferedAmount,
  readableAmount: ssl.readableAmount,
  state: ssl.state,
  ktls: ssl.ktls,
});

/** What there is to tell of a pair, here and on the loop. */
async function toldOn(
  io: IoPool | undefined,
  options: ConnectOptions & ServerOptions,
): Promise<Record<'client' | 'server', ReturnType<typeof told>>> {
  const { client: identity, ca } = certificates();
  const { client, server } = await socketPair(
    { ...options, io, ca: ca.cert, requestCert: true, ALPNProtocols: ['b', 'a'] },
    { ...options, io, cert: identity.cert, key: identity.key, ALPNProtocols: ['a', 'b'] },
  );
  // TLS 1.3: the tickets, behind which the client has nothing more to read.
  server.write('x');
  await within(once(client, 'data'), 'a byte');
  const [one, other] = [client.ssl.finished(), client.ssl.peerFinished()];
  assert.ok(one !== null && other !== null && one.length >= 12);
  assert.deepEqual([server.ssl.peerFinished(), server.ssl.finished()], [one, other]);
  return { client: told(client.ssl), server: told(server.ssl) };
}

/** Microseconds for one accessor, at best. */
function cost(ssl: Ssl): number {
  const reads = 100;
  const rounds = Array.from({ length: 20 }, () => {
    const begin = process.hrtime.bigint();
    for (let n = 0; n < reads; n++) void [ssl.version, ssl.alpnProtocol, ssl.sessionReused, ssl.bufferedAmount];
    return Number(process.hrtime.bigint() - begin) / 1000 / (4 * reads);
  });
  return Math.min(...rounds);
}

async function sessionOf(socket: TlsSocket): Promise<SslSession> {
  await until(() => socket.ssl.session?.resumable === true, 'a session');
  return socket.ssl.session as SslSession;
}

describe('accessors of a connection', () => {
  const [twelve, thirteen] = ['TLS 1.2', 'TLS 1.3'];
  for (const [name, options] of [
    [twelve, tls12],
    [thirteen, tls13],
  ] as const) {
    it(`tell the same wherever it lives: ${name}`, async () => {
      const here = await toldOn(pool, options);
      const loop = await toldOn(undefined, options);
      assert.deepEqual(here, loop);
      assert.deepEqual(
        [here.server.peer, here.server.chain.at(0), here.client.own, here.client.alpnProtocol],
        ['CN=client', 'CN=client', 'CN=client', 'b'],
      );
      assert.deepEqual([here.client.clientCaList, here.server.servername], [['CN=Test CA'], 'localhost']);
    });
  }

  it('do not wait for a thread', async () => {
    const io = new IoPool({ threads: 1 });
    try {
      const onThread = await socketPair({ io }, { io });
      const onLoop = await socketPair({ io: undefined }, { io: undefined });
      // A wait takes two wake-ups, some twenty microseconds on an idle machine.
      const ratio = cost(onThread.server.ssl) / cost(onLoop.server.ssl);
      assert.ok(ratio < 8, `${ratio.toFixed(1)} times as long as on the loop`);
      onThread.client.destroy();
      onThread.server.destroy();
      await onThread.running.server.close();
    } finally {
      await io.close();
    }
  });

  it('follow a renegotiation', async () => {
    const { client, server } = await socketPair({ ...tls12 }, { ...tls12 });
    const before = server.ssl.finished();
    await Promise.all([once(client, 'renegotiate'), server.renegotiate(), client.resume()]);
    assert.deepEqual([client.ssl.renegotiations, server.ssl.renegotiations], [1, 1]);
    assert.notDeepEqual(server.ssl.finished(), before);
    assert.deepEqual(client.ssl.peerFinished(), server.ssl.finished());
  });

  it('follow a certificate that is shown later', async () => {
    const { client: identity, ca } = certificates();
    const { client, server } = await socketPair(
      { ...tls13, ca: ca.cert },
      { ...tls13, cert: identity.cert, key: identity.key },
    );
    assert.equal(told(server.ssl).peer, undefined);
    assert.equal(server.authorized, false);
    client.resume();
    server.resume();
    await server.requestClientCertificate();
    assert.equal(server.ssl.peerCertificate?.subject, 'CN=client');
    assert.equal(server.authorized, true);
    assert.deepEqual(client.ssl.clientCaList, ['CN=Test CA']);
  });

  it('follow what is set at once', async () => {
    const { client, server } = await socketPair({ ...tls13 }, { ...tls13 });
    // Behind the tickets: what arrives would perform what is scheduled.
    server.write('x');
    await within(once(client, 'data'), 'a byte');
    client.ssl.scheduleKeyUpdate('requested');
    assert.equal(client.ssl.keyUpdateType, 'requested');
    client.write('x');
    server.resume();
    await within(once(server, 'keyUpdate'), 'the key update');
    await until(() => client.ssl.keyUpdateType === 'none', 'the key update to be performed');
    client.ssl.quietShutdown = true;
    assert.equal(client.ssl.quietShutdown, true);
    client.ssl.setShutdown({ sent: true });
    assert.deepEqual(client.ssl.shutdownState, { sent: true, received: false });
    const other = certificates().stranger;
    server.ssl.useCertificate(other.cert);
    assert.equal(server.ssl.certificate?.subject, 'CN=stranger');
  });

  it('give the session that there is, for another connection', async () => {
    for (const options of [tls12, tls13]) {
      const running = await startServer(options);
      const first = await connectTo(running.port, options);
      const served = await running.next();
      served.write('x');
      first.resume();
      const session = await sessionOf(first);
      const second = await connectTo(running.port, { ...options, session });
      const resumed = await running.next();
      assert.deepEqual([second.ssl.sessionReused, resumed.ssl.sessionReused], [true, true]);
      assert.equal(first.getSession()?.length, session.serialize().length);
    }
  });

  it('tell of bytes that wait as soon as they were written', async () => {
    const { client, server } = await socketPair();
    server.pause();
    const piece = Buffer.alloc(1024 * 1024);
    let most = 0;
    for (let n = 0; n < 32; n++) {
      client.write(piece);
      most = Math.max(most, client.bufferSize);
    }
    assert.ok(most > 16 * piece.length, `${most} bytes wait`);
    await until(() => client.ssl.bufferedAmount > 0, 'ciphertext to wait');
    server.resume();
    await until(() => client.ssl.bufferedAmount === 0 && client.writableLength === 0, 'all to be sent');
  });

  it('tell what is known after a handshake that failed, and are refused once it is closed', async () => {
    const running = await startServer({ cert: certificates().stranger.cert, key: certificates().stranger.key });
    const failed = once(running.server, 'tlsClientError') as Promise<[Error, TlsSocket]>;
    await rejected(connectTo(running.port), /^(DEPTH|UNABLE|ERR_TLS_CERT|SELF|CERT)/);
    const [, served] = await within(failed, 'the failure');
    // Handed out for what it can tell; whoever gets it may close it.
    served.ssl.close();
    thrown(() => served.ssl.version, codes.closed);
    thrown(() => served.ssl.session, codes.closed);
    assert.equal(served.getSession(), undefined);
    assert.equal(served.authorized, false);
  });

  it('keep what they told last where somebody asks a closed socket', async () => {
    const { client, server } = await socketPair();
    assert.equal(client.authorized, true);
    client.destroy();
    server.destroy();
    assert.equal(client.authorized, true);
    assert.equal(server.alpnProtocol, false);
  });
});

describe('keying material', () => {
  const label = 'EXPORTER-test';

  it('is the same on both sides', async () => {
    for (const options of [tls12, tls13]) {
      const { client, server } = await socketPair(options, options);
      for (const context of [undefined, Buffer.alloc(0), Buffer.from('context')]) {
        const [one, other] = [client, server].map(({ ssl }) => ssl.exportKeyingMaterial(48, label, context));
        if (pool !== undefined) assert.ok(one instanceof Promise && other instanceof Promise);
        const material = (await one) as Buffer;
        assert.equal(material.length, 48);
        assert.deepEqual(await other, material);
        assert.deepEqual(await server.exportKeyingMaterial(48, label, context), material);
      }
    }
  });

  it('is refused by the rules of OpenSSL, with nothing harmed', async () => {
    const { client, server } = await socketPair(tls12, tls12);
    // Reserved: RFC 5705 section 4.
    await rejected(
      Promise.resolve().then(() => client.ssl.exportKeyingMaterial(32, 'key expansion')),
      /^ERR_/,
    );
    thrown(() => client.ssl.exportKeyingMaterial(0, label), codes.outOfRange);
    client.write('still here');
    assert.equal(String(await within(once(server, 'data'), 'data')), 'still here');
  });

  it('asked for again and again while the connection ends: each is given or refused', async () => {
    const { client } = await socketPair();
    const asked = Array.from({ length: 50 }, async () => client.ssl.exportKeyingMaterial(32, label));
    client.ssl.close();
    for (const { status, ...rest } of await within(Promise.allSettled(asked), 'all of them')) {
      if (status === 'rejected')
        assert.equal((rest as unknown as { reason: { code: string } }).reason.code, codes.closed);
    }
    await rejected(
      Promise.resolve().then(() => client.ssl.exportKeyingMaterial(32, label)),
      codes.closed,
    );
  });
});
