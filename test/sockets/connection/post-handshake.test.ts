// TLS 1.3: a server asks for the client's certificate after the handshake.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { needsProgram } from '../../support/capabilities.ts';
import { certificates, type Identity } from '../../support/certificates.ts';
import { codes } from '../../support/codes.ts';
import { rejected } from '../../support/errors.ts';
import { connectedPair, type MemoryPair, makePair, type PairOptions, tls12, tls13 } from '../../support/memory-pair.ts';
import { pythonServer } from '../../support/peers.ts';
import { connectTo } from '../../support/sockets.ts';
import { handshakeType, trace } from '../../support/trace.ts';
import { turns, until, watch, within } from '../../support/wait.ts';

const asking = (identity: Identity | undefined): PairOptions => ({
  both: tls13,
  client: identity === undefined ? {} : { cert: identity.cert, key: identity.key },
  server: { ca: certificates().ca.cert },
});

async function carries(pair: MemoryPair, waiting: Promise<unknown>): Promise<void> {
  await pair.server.write(Buffer.from('to the client'));
  assert.equal(String(await pair.during(waiting)), 'to the client');
  const read = pair.server.read();
  await pair.client.write(Buffer.from('to the server'));
  assert.equal(String(await pair.during(read)), 'to the server');
}

describe('post-handshake authentication', () => {
  it('shows the client’s certificate', async () => {
    const pair = await connectedPair(asking(certificates().client));
    const waiting = watch(pair.client.read());
    assert.deepEqual(pair.server.peerCertificateChain, []);
    await pair.during(pair.server.requestClientCertificate());
    assert.equal(pair.server.peerCertificate?.subject, 'CN=client');
    assert.equal(pair.server.verifyResult.code, 0);
    await carries(pair, waiting.promise);
  });

  it('with a key update scheduled, owed or queued around it, the request goes out all the same', async () => {
    for (const prepare of [
      async (pair: MemoryPair) => pair.server.scheduleKeyUpdate('requested'),
      async (pair: MemoryPair) => void pair.server.keyUpdate({ requestPeer: true }),
      async (pair: MemoryPair) => {
        await pair.client.keyUpdate({ requestPeer: true });
        await pair.client.write(Buffer.from('x'));
        assert.equal(String(await pair.during(pair.server.read())), 'x');
      },
    ]) {
      const pair = makePair(asking(certificates().client));
      const server = trace(pair.server);
      await pair.handshake();
      await prepare(pair);
      const waiting = watch(pair.client.read());
      await pair.during(pair.server.requestClientCertificate());
      assert.equal(server.count(true, handshakeType.certificateRequest), 1);
      assert.equal(pair.server.peerCertificate?.subject, 'CN=client');
      await carries(pair, waiting.promise);
    }
  });

  it('with data crossing it loses nothing', async () => {
    const pair = await connectedPair(asking(certificates().client));
    await pair.client.write(Buffer.from('before'));
    const asked = watch(pair.server.requestClientCertificate());
    const waiting = watch(pair.client.read());
    await turns(2);
    await pair.server.write(Buffer.from('behind the request'));
    await pair.client.write(Buffer.from(' and after'));
    await pair.during(asked.promise);
    assert.equal(String(await pair.during(waiting.promise)), 'behind the request');
    let got = '';
    while (got.length < 'before and after'.length) got += String(await pair.during(pair.server.read()));
    assert.equal(got, 'before and after');
  });

  it('not required, and the client, which could, has no fitting certificate: none', async () => {
    const pair = await connectedPair({ ...asking(certificates().stranger), server: { ca: certificates().ca.cert } });
    const waiting = watch(pair.client.read());
    const asked = pair.during(pair.server.requestClientCertificate({ required: false }));
    // OpenSSL sends a certificate of an issuer that was not named, and it does not verify.
    await rejected(asked, 'UNABLE_TO_VERIFY_LEAF_SIGNATURE');
    await rejected(pair.during(waiting.promise), /_ALERT_UNKNOWN_CA$/);
  });

  it('of a client that does not offer it is a named error, and the connection is unharmed', async () => {
    const pair = await connectedPair(asking(undefined));
    await rejected(pair.server.requestClientCertificate(), 'ERR_SSL_EXTENSION_NOT_RECEIVED');
    await carries(pair, pair.client.read());
  });

  it('that is not answered ends by its timeout, and the connection lives', async () => {
    const pair = await connectedPair(asking(certificates().client));
    await rejected(pair.server.requestClientCertificate({ timeout: 20 }), codes.timeout);
    await carries(pair, pair.client.read());
  });

  it('a second request waits for the answer to the first, as in TLS 1.2', async () => {
    for (const both of [tls12, tls13]) {
      const pair = makePair({ ...asking(certificates().client), both });
      const server = trace(pair.server);
      await pair.handshake();
      const waiting = watch(pair.client.read());
      const asked = [1, 2, 3].map(() => watch(pair.server.requestClientCertificate()).promise);
      await pair.during(Promise.all(asked));
      if (both === tls13) assert.equal(server.count(true, handshakeType.certificateRequest), 1, 'one for all');
      assert.equal(pair.server.peerCertificate?.subject, 'CN=client');
      await carries(pair, waiting.promise);
    }
  });

  it('after the answer the next one asks again', async () => {
    const pair = makePair(asking(certificates().client));
    const server = trace(pair.server);
    await pair.handshake();
    const waiting = watch(pair.client.read());
    for (let i = 0; i < 3; i++) await pair.during(pair.server.requestClientCertificate());
    assert.equal(server.count(true, handshakeType.certificateRequest), 3);
    await carries(pair, waiting.promise);
  });

  it('a request that was given up is still out: the next one gets its answer, also if it was there before', async () => {
    for (const arrived of [false, true]) {
      const pair = await connectedPair(asking(certificates().client));
      const waiting = watch(pair.client.read());
      await rejected(pair.server.requestClientCertificate({ timeout: 20 }), codes.timeout);
      const controller = new AbortController();
      const aborted = watch(pair.server.requestClientCertificate({ signal: controller.signal }));
      controller.abort();
      await rejected(aborted.promise, codes.aborted);
      if (arrived) await pair.pump();
      await pair.during(pair.server.requestClientCertificate());
      assert.equal(pair.server.peerCertificate?.subject, 'CN=client');
      await carries(pair, waiting.promise);
    }
  });

  it('all who wait hear of it when the client says goodbye instead, or the connection ends', async () => {
    for (const [end, code] of [
      [(pair: MemoryPair) => pair.client.shutdown(), 'ERR_TLS_PEER_CLOSED'],
      [async (pair: MemoryPair) => pair.server.close(), codes.closed],
      [async (pair: MemoryPair) => pair.cut(), codes.unexpectedEof],
    ] as const) {
      const pair = await connectedPair(asking(certificates().client));
      const asked = [1, 2].map(() => watch(pair.server.requestClientCertificate()).promise);
      await turns(2);
      await end(pair);
      for (const each of asked) await rejected(pair.during(each), code);
    }
  });

  it('while a verification waits, a second request queues and gets the same answer', async () => {
    let answer!: (accepted: boolean) => void;
    let questions = 0;
    const verify = () => {
      questions++;
      return new Promise<boolean>(resolve => {
        answer = resolve;
      });
    };
    const pair = await connectedPair({ ...asking(certificates().client), serverSsl: { verify, requestCert: false } });
    pair.flow();
    const waiting = watch(pair.client.read());
    const first = watch(pair.server.requestClientCertificate());
    await until(() => questions === 1, 'the question');
    const second = watch(pair.server.requestClientCertificate());
    await turns(3);
    assert.equal(second.outcome.status, 'pending');
    answer(true);
    await within(first.promise, 'the first');
    await until(() => questions === 2 || second.outcome.status !== 'pending', 'the second');
    if (second.outcome.status === 'pending') answer(true);
    await within(second.promise, 'the second');
    pair.hold();
    await carries(pair, waiting.promise);
  });

  it('is for servers', async () => {
    const pair = await connectedPair(asking(certificates().client));
    await rejected(pair.client.requestClientCertificate(), codes.wrongSide);
    await carries(pair, pair.client.read());
  });

  it('before the handshake is a named error', async () => {
    const pair = makePair(asking(certificates().client));
    await rejected(pair.server.requestClientCertificate(), 'ERR_SSL_STILL_IN_INIT');
    await pair.handshake();
  });

  it('python3 asks our client for it', async function () {
    needsProgram(this, 'python3');
    const { client } = certificates();
    const { port } = await pythonServer('pha');
    const socket = await connectTo(port, { ...tls13, cert: client.cert, key: client.key });
    const answer = async (question: string) => {
      const answering = once(socket, 'data') as Promise<[Buffer]>;
      socket.write(question);
      return String((await within(answering, question))[0]);
    };
    assert.equal(await answer('authenticate'), 'asked');
    assert.match(await answer('who'), /'commonName', 'client'/);
  });
});
