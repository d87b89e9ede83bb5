import assert from 'node:assert/strict';
import { once } from 'node:events';
import type { TlsSocket } from 'system-tls';
import { needsProgram } from '../../support/capabilities.ts';
import { certificates } from '../../support/certificates.ts';
import { codes } from '../../support/codes.ts';
import { rejected, thrown } from '../../support/errors.ts';
import { clientContext, makePair, serverContext, stillCarries, tls12, tls13 } from '../../support/memory-pair.ts';
import { command, gnutlsClient, opensslClient } from '../../support/peers.ts';
import { socketPair, startServer } from '../../support/sockets.ts';
import { until, watch, within } from '../../support/wait.ts';

const allowing = { ...tls12, clientRenegotiation: true };

/** Data comes through in both directions. */
async function carries(...ends: [TlsSocket, TlsSocket]): Promise<void> {
  for (const [from, to] of [ends, [...ends].reverse() as typeof ends]) {
    from.write('still here');
    assert.equal(String(await within(once(to, 'data'), 'data')), 'still here');
  }
}

describe('disableRenegotiation()', () => {
  it('lets a client refuse what its server asks for, once and for all', async () => {
    const { client, server } = await socketPair(tls12, tls12);
    await Promise.all([within(once(client, 'renegotiate'), 'the first one'), server.renegotiate(), client.resume()]);
    client.disableRenegotiation();
    client.disableRenegotiation();
    // A thread may have the server's request before it hears of this: what it answers, it answers behind it.
    await client.ssl.exportKeyingMaterial(1, 'EXPERIMENTAL');
    const alerts: string[] = [];
    server.ssl.on('alert', ({ direction, name }) => alerts.push(`${direction} ${name}`));
    await rejected(server.renegotiate(), codes.noRenegotiation);
    // A warning; what follows is the server's.
    assert.equal(alerts[0], 'received no_renegotiation');
  });

  it('lets a server refuse its clients, whatever its context allows', async () => {
    const { client, server } = await socketPair(allowing, tls12);
    server.resume();
    client.resume();
    await client.renegotiate();
    server.disableRenegotiation();
    await server.ssl.exportKeyingMaterial(1, 'EXPERIMENTAL');
    await rejected(client.renegotiate(), codes.noRenegotiation);
  });

  it('refuses an own one, and the connection stays as it was', async () => {
    const { client, server } = await socketPair({ ...allowing, ca: certificates().ca.cert }, tls12);
    for (const socket of [client, server]) {
      socket.disableRenegotiation();
      await rejected(socket.renegotiate(), codes.noRenegotiation);
      thrown(() => socket.ssl.scheduleRenegotiate(), codes.noRenegotiation);
    }
    await rejected(server.requestClientCertificate(), codes.noRenegotiation);
    await carries(client, server);
    assert.deepEqual([client.ssl.renegotiations, server.ssl.renegotiations], [0, 0]);
  });

  it('leaves one that is under way, and TLS 1.3, alone', async () => {
    const pair = await makePair({ both: tls12, server: allowing }).handshake();
    const renegotiating = pair.client.renegotiate();
    pair.client.disableRenegotiation();
    for (const ssl of [pair.client, pair.server]) watch(ssl.read());
    await pair.during(renegotiating);
    assert.equal(pair.client.renegotiations, 1);
    const { client, server } = await socketPair(tls13, tls13);
    for (const socket of [client, server]) socket.disableRenegotiation();
    await client.keyUpdate();
    await carries(client, server);
  });

  it('may be called before the handshake, and stays when a name changes the context', async () => {
    const { cert, key } = certificates().server;
    for (const serverNames of [undefined, { localhost: { ...allowing, cert, key } }]) {
      for (const refuses of [false, true]) {
        const contexts = {
          clientContext: clientContext(tls12),
          serverContext: serverContext({ ...allowing, serverNames }),
        };
        const pair = makePair(contexts);
        if (refuses) pair.server.disableRenegotiation();
        await pair.handshake();
        watch(pair.server.read());
        watch(pair.client.read());
        const renegotiated = pair.during(pair.client.renegotiate());
        if (refuses) await rejected(renegotiated, codes.noRenegotiation);
        else await renegotiated;
      }
    }
  });

  it('before the handshake leaves a connection that carries data', async () => {
    const pair = makePair({ both: tls12 });
    pair.client.disableRenegotiation();
    pair.server.disableRenegotiation();
    await stillCarries(await pair.handshake());
  });

  it('is known by closed ones too', async () => {
    const { client } = await socketPair(tls12, tls12);
    client.ssl.close();
    thrown(() => client.ssl.disableRenegotiation(), codes.closed);
    client.disableRenegotiation();
  });
});

describe('disableRenegotiation() and other clients', () => {
  it('gnutls-cli asks again and again, and is cut off at the limit', async function () {
    needsProgram(this, 'gnutls-cli');
    const { port, next } = await startServer(allowing, socket => void socket.resume());
    const peer = gnutlsClient(port, ['--priority=NORMAL:-VERS-ALL:+VERS-TLS1.2']);
    const socket = await next();
    await peer.printed(/Simple Client Mode/);
    const failed = once(socket, 'error') as Promise<[NodeJS.ErrnoException]>;
    socket.disableRenegotiation();
    peer.write('^renegotiate^\n');
    const [error] = await within(failed, 'the end of our patience');
    assert.equal(error.code, codes.tooManyRenegotiations);
    await peer.printed(/No renegotiation is allowed/);
  });

  it('s_client is told no, and leaves', async () => {
    const { port, next } = await startServer(allowing);
    const peer = opensslClient(port, ['-tls1_2']);
    const socket = await next();
    socket.resume();
    await peer.printed(/Verify return code: .*\n[\s\S]*?---/);
    socket.disableRenegotiation();
    await command(peer, 'R');
    await peer.printed(/<<<.*Alert.*, warning no_renegotiation/);
    await until(() => socket.destroyed, 'its end');
  });
});
