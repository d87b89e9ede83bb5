// Ciphers of one connection: renegotiation "for other algorithms", as the tutorial has it.
import assert from 'node:assert/strict';
import type { Ssl, SslContext } from 'system-tls';
import { certificates } from '../../support/certificates.ts';
import { codes } from '../../support/codes.ts';
import { rejected, thrown } from '../../support/errors.ts';
import { clientContext, connectedPair, makePair, serverContext, tls12, tls13 } from '../../support/memory-pair.ts';
import { command, opensslServer } from '../../support/peers.ts';
import { connectTo } from '../../support/sockets.ts';
import { until, watch } from '../../support/wait.ts';

const [aes, chacha] = ['ECDHE-ECDSA-AES128-GCM-SHA256', 'ECDHE-ECDSA-CHACHA20-POLY1305'];
const before = { both: { ...tls12, ciphers: `${aes}:${chacha}` }, server: { clientRenegotiation: true } };

describe('ciphers of a connection', () => {
  for (const side of ['client', 'server'] as const) {
    it(`changed by the ${side}, come with its full renegotiation`, async () => {
      const pair = await connectedPair(before);
      const waiting = watch(side === 'client' ? pair.server.read() : pair.client.read());
      assert.equal(pair.client.cipher?.name, aes);
      pair[side].setCiphers(chacha);
      assert.equal(pair.client.cipher?.name, aes, 'not before');
      await pair.during(pair[side].renegotiate());
      for (const ssl of [pair.client, pair.server]) assert.equal(ssl.cipher?.name, chacha);
      await pair[side].write('under the new one');
      assert.equal(String(await pair.during(waiting.promise)), 'under the new one');
    });
  }

  it('changed by a server whose client wants to resume: a full handshake with the new one all the same', async () => {
    const pair = await connectedPair(before);
    void watch(pair.server.read());
    pair.server.setCiphers(chacha);
    await pair.during(pair.client.renegotiate({ abbreviated: true }));
    assert.equal(pair.client.sessionReused, false);
    assert.equal(pair.client.cipher?.name, chacha);
  });

  // Its session needs the old one: offered all the same, it would be the end of the connection.
  for (const side of ['client', 'server'] as const) {
    it(`of a client that drops the one in use: what the ${side} begins is full, abbreviated or not`, async () => {
      for (const abbreviated of [true, false]) {
        const pair = await connectedPair(before);
        const waiting = watch(side === 'client' ? pair.server.read() : pair.client.read());
        pair.client.setCiphers(chacha);
        await pair.during(pair[side].renegotiate({ abbreviated }));
        assert.equal(pair.client.sessionReused, false);
        assert.equal(pair.client.cipher?.name, chacha);
        assert.equal(pair.client.peerCertificate?.subject, 'CN=localhost');
        await pair[side].write('goes on');
        assert.equal(String(await pair.during(waiting.promise)), 'goes on');
      }
    });
  }

  it('of a client that keeps the one in use: an abbreviated renegotiation resumes', async () => {
    const pair = await connectedPair(before);
    void watch(pair.server.read());
    pair.client.setCiphers(`${chacha}:${aes}`);
    await pair.during(pair.client.renegotiate({ abbreviated: true }));
    assert.equal(pair.client.sessionReused, true);
    assert.equal(pair.client.cipher?.name, aes);
  });

  it('of a client, before the handshake: a session with another cipher is not offered, whichever is set first', async () => {
    const server = serverContext(before.both);
    const both = clientContext(before.both);
    const first = await makePair({ clientContext: both, serverContext: server }).handshake();
    const { session } = first.client;
    assert.ok(session);
    assert.equal(first.client.cipher?.name, aes);
    await Promise.all([first.client.shutdown(), first.server.shutdown()]);
    const useSession = (client: Ssl): void => client.setSession(session);
    const useChacha = (client: Ssl): void => client.setCiphers(chacha);
    const cases: ReadonlyArray<readonly [context: SslContext, steps: Array<(client: Ssl) => void>, cipher: string]> = [
      [both, [useSession], aes],
      [both, [useSession, useChacha], chacha],
      [both, [useChacha, useSession], chacha],
      [clientContext({ ...tls12, ciphers: chacha }), [useSession], chacha],
    ];
    for (const [context, steps, cipher] of cases) {
      const pair = makePair({ clientContext: context, serverContext: server });
      for (const step of steps) step(pair.client);
      await pair.handshake();
      assert.equal(pair.client.sessionReused, cipher === aes);
      assert.equal(pair.client.cipher?.name, cipher);
      assert.equal(session.resumable, true);
    }
  });

  it('before the handshake, TLS 1.2 and 1.3; other connections of the context have theirs', async () => {
    const contexts = { clientContext: clientContext(), serverContext: serverContext() };
    const older = makePair({ clientContext: clientContext(tls12), serverContext: serverContext(tls12) });
    older.client.setCiphers(chacha);
    await older.handshake();
    assert.equal(older.client.cipher?.name, chacha);
    const pair = makePair(contexts);
    pair.client.setCiphers('TLS_CHACHA20_POLY1305_SHA256');
    await pair.handshake();
    assert.equal(pair.client.cipher?.name, 'TLS_CHACHA20_POLY1305_SHA256');
    const other = makePair(contexts);
    await other.handshake();
    assert.equal(other.client.cipher?.name, 'TLS_AES_256_GCM_SHA384');
  });

  it('of a server, before the handshake: a session with another cipher is not resumed', async () => {
    const contexts = { clientContext: clientContext(tls12), serverContext: serverContext(tls12) };
    const first = await makePair(contexts).handshake();
    const session = first.client.session;
    assert.ok(session);
    assert.notEqual(first.client.cipher?.name, chacha);
    await Promise.all([first.client.shutdown(), first.server.shutdown()]);
    const second = makePair({ ...contexts, clientSsl: { session } });
    second.server.setCiphers(chacha);
    await second.handshake();
    assert.equal(second.client.sessionReused, false);
    assert.equal(second.client.cipher?.name, chacha);
  });

  it('that the peer does not have end the renegotiation, and the connection', async () => {
    const pair = await connectedPair({ ...before, both: { ...tls12, ciphers: aes } });
    const reading = watch(pair.server.read());
    pair.client.setCiphers(chacha);
    await rejected(pair.during(pair.client.renegotiate()), /ALERT_HANDSHAKE_FAILURE$/);
    await rejected(reading.promise, 'ERR_SSL_NO_SHARED_CIPHER');
  });

  it('that are none are named errors, and leave those that were', async () => {
    const pair = await connectedPair(before);
    void watch(pair.server.read());
    thrown(() => pair.client.setCiphers('NO-SUCH-CIPHER'), 'ERR_SSL_NO_CIPHER_MATCH');
    thrown(() => pair.client.setCiphers(`${chacha}:TLS_NO_SUCH`), /^ERR_SSL_/);
    for (const wrong of ['', ':']) thrown(() => pair.client.setCiphers(wrong), codes.wrongValue);
    for (const wrong of [undefined, null, 7, [aes]])
      thrown(() => pair.client.setCiphers(wrong as never), codes.wrongType);
    await pair.during(pair.client.renegotiate());
    assert.equal(pair.client.cipher?.name, aes);
    pair.client.close();
    thrown(() => pair.client.setCiphers(aes), codes.closed);
  });

  it('during a handshake is a named error', async () => {
    const pair = makePair({ both: tls13 });
    const connecting = pair.client.connect();
    thrown(() => pair.client.setCiphers('TLS_AES_128_GCM_SHA256'), 'ERR_TLS_HANDSHAKE_STARTED');
    await pair.during(Promise.all([connecting, pair.server.accept()]));
  });

  it('change with openssl s_server, by our renegotiation and by its own', async () => {
    const ciphers = ['-cipher', `${aes}:${chacha}`, '-client_renegotiation', '-no_ticket', '-no_cache'];
    const { peer, port } = await opensslServer(['-tls1_2', ...ciphers], certificates().server);
    const socket = await connectTo(port, tls12);
    socket.resume();
    const first = socket.ssl.cipher?.name;
    socket.ssl.setCiphers(first === aes ? chacha : aes);
    await socket.renegotiate();
    const second = socket.ssl.cipher?.name;
    assert.notEqual(second, first);
    socket.ssl.setCiphers(first ?? '');
    await command(peer, 'r');
    await until(() => socket.ssl.renegotiations === 2, 'its renegotiation');
    assert.equal(socket.ssl.cipher?.name, first);
  });
});
