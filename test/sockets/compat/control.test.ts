// What sockets of system-tls/tls can do and those of node:tls cannot: new keys, and a client's certificate after the handshake.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import nodeTls, { type TLSSocket as NodeSocket } from 'node:tls';
import '../../support/drop-in-threads.ts';
import type { KeyUpdateEvent, RenegotiateEvent } from 'system-tls';
import https from 'system-tls/https';
import tls, { sslOf, type TLSSocket, type TlsOptions } from 'system-tls/tls';
import { needsProgram } from '../../support/capabilities.ts';
import { certificates, type Identity } from '../../support/certificates.ts';
import { connected, dropInServer, echoed, endLater, listening, toServer } from '../../support/drop-in.ts';
import { opensslClient } from '../../support/peers.ts';
import { within } from '../../support/wait.ts';

interface Both {
  readonly client: TLSSocket;
  readonly server: TLSSocket;
}

const rejects = (promise: Promise<unknown>, code: string | RegExp): Promise<void> =>
  assert.rejects(within(promise, 'the rejection'), error => {
    assert.match(
      String((error as NodeJS.ErrnoException).code),
      typeof code === 'string' ? new RegExp(`^${code}$`) : code,
    );
    return true;
  });

async function both(
  forServer: TlsOptions = {},
  identity?: Identity,
  maxVersion: 'TLSv1.2' | 'TLSv1.3' = 'TLSv1.3',
): Promise<Both> {
  const { port, next } = await dropInServer({ ca: certificates().ca.cert, maxVersion, ...forServer });
  const arrival = next();
  const own = identity === undefined ? {} : { cert: identity.cert, key: identity.key };
  const client = tls.connect({ ...toServer(port), ...own });
  await connected(client);
  return { client, server: (await arrival) as TLSSocket };
}

const subject = (socket: TLSSocket): string | undefined => socket.getPeerX509Certificate()?.subject;

describe('keyUpdate() of a drop-in’s socket', () => {
  it('on both sides, with data before, between and behind, and the peer’s update when it is asked', async () => {
    const { client, server } = await both();
    const told: KeyUpdateEvent[] = [];
    sslOf(server)?.on('keyUpdate', event => told.push(event));
    const before = echoed(client, 'x'.repeat(100_000));
    assert.equal((await within(client.keyUpdate(), 'the key update')).peerUpdated, undefined);
    assert.equal((await before).length, 100_000);
    const { peerUpdated } = await within(client.keyUpdate({ requestPeer: true }), 'the key update');
    assert.equal(await echoed(client, 'asked'), 'asked');
    await within(peerUpdated as Promise<void>, 'that of the peer');
    await within(server.keyUpdate(), 'that of the server');
    assert.equal(await echoed(client, 'under new keys'), 'under new keys');
    assert.deepEqual(
      told.map(({ from }) => from),
      ['peer', 'peer', 'self', 'self'],
    );
  });

  it('is refused on TLS 1.2, and the connection goes on', async () => {
    const { client, server } = await both({}, undefined, 'TLSv1.2');
    await rejects(client.keyUpdate(), 'ERR_SSL_WRONG_SSL_VERSION');
    await rejects(server.keyUpdate(), 'ERR_SSL_WRONG_SSL_VERSION');
    assert.equal(await echoed(client, 'goes on'), 'goes on');
  });

  it('is refused before the handshake, for wrong options, and when the socket is over', async () => {
    const { port } = await dropInServer();
    const client = tls.connect(toServer(port));
    endLater(() => client.destroy());
    await rejects(client.keyUpdate(), 'ERR_TLS_INVALID_STATE');
    await connected(client);
    await rejects(client.keyUpdate({ requestPeer: 1 } as never), 'ERR_INVALID_ARG_TYPE');
    await rejects(client.keyUpdate(null as never), 'ERR_INVALID_ARG_TYPE');
    assert.equal(await echoed(client, 'goes on'), 'goes on');
    client.destroy();
    await rejects(client.keyUpdate(), 'ERR_TLS_CLOSED');
    await within(once(client, 'close'), 'close');
    await rejects(client.keyUpdate(), 'ERR_TLS_CLOSED');
  });

  it('a socket that ends while it is under way settles it', async () => {
    const { client, server } = await both();
    const asked = client.keyUpdate({ requestPeer: true });
    client.destroy();
    await within(
      asked.then(
        () => 'done',
        (error: NodeJS.ErrnoException) => assert.equal(error.code, 'ERR_TLS_CLOSED'),
      ),
      'the key update',
    );
    // How it ends for the server depends on what was on its way.
    await within(new Promise(resolve => server.resume().once('close', resolve)), 'close');
  });

  it('on a socket of node’s own it says what to do', async () => {
    const { port } = await dropInServer();
    const socket = (await connected(nodeTls.connect(toServer(port)))) as TLSSocket;
    for (const promise of [socket.keyUpdate(), socket.requestClientCertificate()]) {
      await assert.rejects(promise, { code: 'ERR_TLS_NODE_SOCKET', message: /system-tls\/tls.*system-tls\/register/ });
    }
    socket.destroy();
    await rejects(socket.keyUpdate(), 'ERR_TLS_CLOSED');
  });

  it('shows in no list of what a socket has', async () => {
    const names: string[] = [];
    for (const name in (await both()).client) names.push(name);
    assert.ok(names.includes('getCipher'));
    assert.ok(!names.includes('keyUpdate') && !names.includes('requestClientCertificate'));
  });
});

describe('requestClientCertificate() of a drop-in’s socket', () => {
  for (const version of ['TLSv1.2', 'TLSv1.3'] as const) {
    it(`${version}: the certificate is there afterwards, and trusted`, async () => {
      const { client, server } = await both({}, certificates().client, version);
      assert.equal(subject(server), undefined);
      assert.equal(server.authorized, false);
      client.on('data', () => {});
      await within(server.requestClientCertificate(), 'the certificate');
      assert.equal(subject(server), 'CN=client');
      assert.equal(server.getPeerCertificate().subject.CN, 'client');
      assert.equal(server.authorized, true);
      assert.equal(server.authorizationError, null);
      assert.equal(await echoed(client, 'goes on'), 'goes on');
    });

    it(`${version}: one that is not trusted ends the socket, and rejects with why`, async () => {
      const { client, server } = await both({}, certificates().stranger, version);
      client.on('error', () => {}).on('data', () => {});
      const closed = once(server, 'close');
      await rejects(server.requestClientCertificate(), /^(UNABLE_TO_|DEPTH_|SELF_)/);
      assert.equal(server.authorized, false);
      await within(closed, 'close');
    });

    it(`${version}: one that is not trusted is refused to each who asks at once`, async () => {
      const { client, server } = await both({}, certificates().stranger, version);
      client.on('error', () => {}).on('data', () => {});
      server.on('error', () => {});
      const asked = [server.requestClientCertificate(), server.requestClientCertificate()];
      const outcomes = await within(Promise.allSettled(asked), 'both answers');
      assert.deepEqual(
        outcomes.map(({ status }) => status),
        ['rejected', 'rejected'],
      );
      assert.deepEqual([server.authorized, server.destroyed], [false, true]);
    });

    it(`${version}: unless the server has rejectUnauthorized: false`, async () => {
      const { client, server } = await both({ rejectUnauthorized: false }, certificates().stranger, version);
      client.on('data', () => {});
      await within(server.requestClientCertificate(), 'the certificate');
      assert.ok(subject(server));
      assert.equal(server.authorized, false);
      assert.match(String(server.authorizationError), /^(UNABLE_TO_|DEPTH_|SELF_)/);
      assert.equal(await echoed(client, 'goes on'), 'goes on');
    });
  }

  it('TLSv1.2: a client without one is not authorized if that may be, and is ended otherwise', async () => {
    const optional = await both({}, undefined, 'TLSv1.2');
    optional.client.on('data', () => {});
    await within(optional.server.requestClientCertificate({ required: false }), 'the answer');
    assert.equal(optional.server.authorized, false);
    assert.equal(optional.server.authorizationError, 'UNABLE_TO_GET_ISSUER_CERT');
    assert.equal(await echoed(optional.client, 'goes on'), 'goes on');

    const required = await both({}, undefined, 'TLSv1.2');
    required.client.on('error', () => {}).on('data', () => {});
    const closed = once(
      required.server.on('error', () => {}),
      'close',
    );
    await rejects(required.server.requestClientCertificate(), 'ERR_SSL_PEER_DID_NOT_RETURN_A_CERTIFICATE');
    await within(closed, 'close');
  });

  it('TLSv1.3: a client that has not offered it, of ours or node’s, refuses it, and the connection goes on', async () => {
    const { port, next } = await dropInServer({ ca: certificates().ca.cert });
    const { cert, key } = certificates().client;
    for (const make of [() => tls.connect(toServer(port)), () => nodeTls.connect({ ...toServer(port), cert, key })]) {
      const arrival = next();
      const client: NodeSocket = await connected(make());
      const server = (await arrival) as TLSSocket;
      await rejects(server.requestClientCertificate(), 'ERR_SSL_EXTENSION_NOT_RECEIVED');
      assert.equal(await echoed(client, 'goes on'), 'goes on');
    }
  });

  it('on a client it is refused', async () => {
    const { client } = await both({}, certificates().client);
    await rejects(client.requestClientCertificate(), 'ERR_TLS_WRONG_SIDE');
    assert.equal(await echoed(client, 'goes on'), 'goes on');
  });

  it('a second one, while the first is under way, has the same answer', async () => {
    const { client, server } = await both({}, certificates().client);
    client.on('data', () => {});
    await within(Promise.all([server.requestClientCertificate(), server.requestClientCertificate()]), 'both');
    assert.equal(server.authorized, true);
  });

  it('a client that goes instead of answering: it rejects', async () => {
    const { client, server } = await both({}, certificates().client);
    server.on('error', () => {});
    // Before the request: the thread of a client answers without asking JavaScript.
    client.destroy();
    await assert.rejects(within(server.requestClientCertificate(), 'the rejection'));
  });

  it('of an https server, in the middle of a request', async () => {
    const { ca, server: own, client: identity } = certificates();
    const server = https.createServer({ cert: own.cert, key: own.key, ca: ca.cert }, (request, response) => {
      const socket = request.socket as TLSSocket;
      const before = socket.authorized;
      socket.requestClientCertificate().then(
        () => response.end(`${before} ${socket.authorized} ${subject(socket)}`),
        (error: Error) => response.end(String(error)),
      );
    });
    const port = await listening(server);
    const request = https.get({ ...toServer(port), agent: false, cert: identity.cert, key: identity.key });
    const [response] = await within(once(request, 'response'), 'response');
    let text = '';
    for await (const part of response) text += String(part);
    assert.equal(text, 'false true CN=client');
  });

  it('of openssl s_client, with -enable_pha', async function () {
    needsProgram(this, 'openssl');
    const { client: identity } = certificates();
    const { port, next } = await dropInServer({ ca: certificates().ca.cert });
    const arrival = next();
    const peer = opensslClient(port, ['-enable_pha', '-cert', identity.certFile, '-key', identity.keyFile]);
    const server = (await arrival) as TLSSocket;
    await within(server.requestClientCertificate(), 'the certificate');
    assert.equal(subject(server), 'CN=client');
    assert.equal(server.authorized, true);
    await peer.stop();
  });
});

describe('events of sslOf() of a drop-in’s socket', () => {
  it('renegotiate, info, message, alert; a client’s handshake from ‘connect’ on', async () => {
    const { port, next } = await dropInServer({ maxVersion: 'TLSv1.2' });
    const arrival = next();
    // On a thread more of it may have crossed by then.
    const client = tls.connect({ ...toServer(port), io: false });
    assert.equal(sslOf(client), null);
    const [messages, states, renegotiations]: [number[], string[], RenegotiateEvent[]] = [[], [], []];
    client.once('connect', () => {
      sslOf(client)
        ?.on('message', ({ direction, contentType, data }) => {
          if (contentType === 22 && direction === 'received') messages.push(data[0] ?? -1);
        })
        .on('info', ({ state }) => states.push(state))
        .on('renegotiate', event => renegotiations.push(event));
    });
    await connected(client);
    const serverHello = 2;
    assert.equal(messages[0], serverHello);
    assert.ok(states.length > 0);
    const server = await arrival;
    const alerts: number[] = [];
    sslOf(server)?.on('alert', ({ direction, description }) => {
      if (direction === 'received') alerts.push(description);
    });
    const done = new Promise(resolve => client.renegotiate({}, resolve));
    client.on('data', () => {});
    assert.equal(await within(done, 'the renegotiation'), null);
    assert.deepEqual(renegotiations, [{ from: 'self', resumed: false }]);
    client.end();
    await within(Promise.all([once(server, 'close'), once(client, 'close')]), 'close');
    const closeNotify = 0;
    assert.deepEqual(alerts, [closeNotify]);
    assert.equal(sslOf(client), null);
  });
});
