// A server of DTLS and those who mean it no good: floods, forged addresses, garbage, loss, silence.
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createDtlsServer, openssl, type Ssl, SslContext } from 'system-tls';
import { needs } from '../../support/capabilities.ts';
import { certificates } from '../../support/certificates.ts';
import { connectDtlsTo, echo, Relay, startDtls, udp } from '../../support/dtls.ts';
import { rejected, thrown } from '../../support/errors.ts';
import { patience, sleep, until, watch, within } from '../../support/wait.ts';

const { server: serverIdentity } = certificates();
const serverOptions = { cert: serverIdentity.cert, key: serverIdentity.key };

/** Where the fields of the first ClientHello in a datagram are: records have 13 bytes before them, messages 12. */
const randomAt = 27;
const cookieLengthAt = (hello: Buffer): number => 60 + (hello[59] as number);
const cookieOf = (hello: Buffer): Buffer => {
  const at = cookieLengthAt(hello);
  return hello.subarray(at + 1, at + 1 + (hello[at] as number));
};
const isClientHello = (datagram: Buffer): boolean =>
  datagram[0] === 22 && datagram[13] === 1 && datagram.readUInt16BE(3) === 0;

/** From 0 to 1, the same in every run. */
function randomNumbers(): () => number {
  let state = 4711;
  return () => {
    state = (Math.imul(state, 1103515245) + 12345) & 0x7fffffff;
    return state / 0x7fffffff;
  };
}

/** The ClientHellos of a client, without and with cookie. */
async function captureHellos(port: number): Promise<{ relay: Relay; first: Buffer; second: Buffer; client: Ssl }> {
  const relay = await Relay.open(port);
  const client = await connectDtlsTo(relay.port);
  // Where the machine stands still for a second, each may be there several times.
  const hellos = relay.seen.map(({ datagram }) => datagram).filter(isClientHello);
  const first = hellos.find(hello => cookieOf(hello).length === 0);
  const second = hellos.find(hello => cookieOf(hello).length > 0);
  assert.ok(first && second);
  return { relay, first, second, client };
}

describe('a DTLS server', () => {
  before(function () {
    needs(this, openssl.features.dtls, 'this OpenSSL was built without DTLS');
  });

  it('serves many peers on one socket, and forgets those that are gone', async () => {
    const { server, port } = await startDtls({}, ssl => void echo(ssl));
    const clients = await Promise.all(Array.from({ length: 20 }, () => connectDtlsTo(port)));
    assert.equal(server.connections, 20);
    await Promise.all(
      clients.map(async (client, index) => {
        for (let i = 0; i < 20; i++) {
          await client.write(`client ${index} message ${i}`);
          assert.equal(String(await within(client.read(), 'the echo')), `client ${index} message ${i}`);
        }
        await client.shutdown({ wait: true, timeout: patience });
      }),
    );
    await until(() => server.connections === 0, 'all to be forgotten');
  });

  it('keeps nothing about a client before its cookie is back, and answers with less than it got', async () => {
    const { server, port } = await startDtls();
    const { first, client } = await captureHellos(port);
    client.close();
    server.closeAllConnections();
    await until(() => server.connections === 0, 'the end');
    const flood = await udp();
    const answers: Buffer[] = [];
    flood.on('message', answer => answers.push(answer));
    for (let i = 0; i < 500; i++) {
      const hello = Buffer.from(first);
      randomBytes(32).copy(hello, randomAt);
      flood.send(hello, port, '127.0.0.1');
      if (i % 50 === 0) await sleep(1);
    }
    await until(() => answers.length > 100, 'answers');
    assert.equal(server.connections, 0);
    for (const answer of answers) {
      assert.equal(answer[13], 3, 'HelloVerifyRequest');
      assert.ok(answer.length < first.length);
    }
  });

  it('takes a cookie from the address that it was made for alone, and for that ClientHello', async () => {
    const { server, port } = await startDtls();
    const { second, client } = await captureHellos(port);
    assert.equal(cookieOf(second).length, 32);
    client.close();
    server.closeAllConnections();
    await until(() => server.connections === 0, 'the end');
    const thief = await udp();
    thief.send(second, port, '127.0.0.1');
    const [answer] = (await within(once(thief, 'message'), 'a cookie of its own')) as [Buffer];
    assert.equal(answer[13], 3);
    const cookie = answer.subarray(28);
    assert.notDeepEqual(cookie, cookieOf(second));
    const changed = Buffer.from(second);
    cookie.copy(changed, cookieLengthAt(changed) + 1);
    changed[randomAt] = (changed[randomAt] as number) ^ 1;
    thief.send(changed, port, '127.0.0.1');
    const [again] = (await within(once(thief, 'message'), 'another cookie')) as [Buffer];
    assert.equal(again[13], 3);
    assert.equal(server.connections, 0);
    const own = Buffer.from(second);
    cookie.copy(own, cookieLengthAt(own) + 1);
    thief.send(own, port, '127.0.0.1');
    await until(() => server.connections === 1, 'the handshake to begin');
  });

  it('drops garbage, and counts it', async () => {
    const { server, port } = await startDtls({}, ssl => void echo(ssl));
    const { first, second, client } = await captureHellos(port);
    const stranger = await udp();
    let answers = 0;
    stranger.on('message', () => answers++);
    const before = server.dropped;
    const cut = Array.from({ length: first.length - 1 }, (_, size) => first.subarray(0, size + 1));
    const wrong = [Buffer.from('GET / HTTP/1.1\r\n\r\n'), Buffer.alloc(60_000, 22), randomBytes(1400)];
    const longCookie = Buffer.from(second);
    longCookie[cookieLengthAt(second)] = 255;
    longCookie.writeUInt16BE(second.length, 11);
    let sent = 0;
    for (const datagram of [...cut, ...wrong, longCookie]) {
      stranger.send(datagram, port, '127.0.0.1');
      if (++sent % 20 === 0) await sleep(2);
    }
    await until(() => server.dropped === before + sent, `${sent} to be counted`);
    assert.equal(answers, 0);
    assert.equal(server.connections, 1);
    await client.write('still there');
    assert.equal(String(await within(client.read(), 'the echo')), 'still there');
  });

  it('a replay of any of its datagrams, at once, later or all of them, is dropped (RFC 6347 section 4.1.2.6)', async () => {
    const { server, port, next } = await startDtls({ clientRenegotiation: true });
    const relay = await Relay.open(port);
    relay.treat = datagram => [datagram, datagram];
    const [client, accepted] = await Promise.all([connectDtlsTo(relay.port), next()]);
    const got: Record<'client' | 'server', string[]> = { client: [], server: [] };
    const listen = async (ssl: Ssl, into: string[]) => {
      for await (const message of ssl) into.push(String(message));
    };
    const listening = [listen(client, got.client), listen(accepted, got.server)];
    const sent: string[] = [];
    const exchange = async (what: string): Promise<void> => {
      sent.push(what);
      await Promise.all([client.write(what), accepted.write(what)]);
      await until(() => got.client.length === sent.length && got.server.length === sent.length, what);
    };
    /** All that ever went either way, once more. */
    const replayAll = async (): Promise<void> => {
      for (const { datagram, direction } of [...relay.seen]) relay.send(datagram, direction);
      await sleep(100);
    };
    await exchange('each of them twice');
    await replayAll();
    await exchange('all of them again');
    await client.renegotiate({ timeout: patience });
    await exchange('under new keys');
    await replayAll();
    await exchange('those of the old keys, too');
    assert.deepEqual(got, { client: sent, server: sent });
    assert.equal(server.connections, 1);
    assert.deepEqual([client.renegotiations, accepted.renegotiations], [1, 1]);
    const ended = client.shutdown({ wait: true, timeout: patience });
    await within(listening[1] as Promise<void>, 'the goodbye');
    await accepted.shutdown();
    await ended;
    await listening[0];
  });

  it('bounds its connections', async () => {
    const { server, port } = await startDtls({ maxConnections: 1 }, ssl => void echo(ssl));
    const client = await connectDtlsTo(port);
    await rejected(connectDtlsTo(port, { handshakeTimeout: 1500 }), 'ERR_TLS_HANDSHAKE_TIMEOUT');
    assert.equal(server.connections, 1);
    assert.ok(server.dropped > 0);
    await client.shutdown({ wait: true, timeout: patience });
    await until(() => server.connections === 0, 'room');
    await connectDtlsTo(port);
  });

  it('bounds what it keeps for a connection that nobody reads', async () => {
    const { server, port, next } = await startDtls({ readAhead: 10_000 });
    const client = await connectDtlsTo(port);
    const peer = await next();
    for (let i = 0; i < 2000; i++) {
      await client.write(Buffer.alloc(1000, i));
      if (i % 20 === 0) await sleep(1);
    }
    await until(() => server.dropped > 0, 'what is too much to be dropped');
    assert.ok(peer.readableAmount <= 11_000, `${peer.readableAmount}`);
    assert.equal((await peer.read())?.length, 1000);
  });

  it('gives up a client that vanishes in its handshake', async () => {
    const { server, port } = await startDtls({ handshakeTimeout: 700 });
    const relay = await Relay.open(port);
    let begun = false;
    relay.treat = datagram => {
      if (begun) return [];
      begun = isClientHello(datagram) && cookieOf(datagram).length > 0;
      return [datagram];
    };
    const told = once(server, 'tlsClientError');
    const controller = new AbortController();
    const vanishing = rejected(connectDtlsTo(relay.port, { signal: controller.signal }), 'ABORT_ERR');
    const [error, peer] = (await within(told, 'its end')) as [NodeJS.ErrnoException, { port: number }];
    assert.equal(error.code, 'ERR_TLS_HANDSHAKE_TIMEOUT');
    assert.equal(typeof peer.port, 'number');
    assert.equal(server.connections, 0);
    controller.abort();
    await vanishing;
  });

  it('lets a client begin anew from the same port, and nobody else end its connection', async () => {
    const { server, port, accepted } = await startDtls({}, ssl => void echo(ssl));
    const local = await udp();
    const { port: localPort } = local;
    local.close();
    const old = await connectDtlsTo(port, { localAddress: '127.0.0.1', localPort });
    await old.write('one');
    assert.equal(String(await old.read()), 'one');
    // The client's own ClientHello again, late, and a forged one: neither is the end of anything.
    const { relay, first, second, client } = await captureHellos(port);
    relay.send(first, 'to server');
    relay.send(second, 'to server');
    const forged = Buffer.from(first);
    randomBytes(32).copy(forged, randomAt);
    relay.send(forged, 'to server');
    await sleep(100);
    await client.write('two');
    assert.equal(String(await within(client.read(), 'the echo')), 'two');
    assert.equal(accepted.length, 2);
    // It goes, and says nothing of it.
    const closed = once(accepted[0] as Ssl, 'close');
    old.close();
    const anew = await connectDtlsTo(port, { localAddress: '127.0.0.1', localPort });
    await within(closed, 'the old connection to be closed');
    await anew.write('three');
    assert.equal(String(await within(anew.read(), 'the echo')), 'three');
    assert.equal(server.connections, 2);
  });

  it('a ClientHello that is replayed with its cookie ends no newer connection (RFC 6347 section 4.2.8)', async () => {
    // Long enough for the clients, whatever else the machine has to do.
    const { server, port, accepted } = await startDtls({ handshakeTimeout: 2500, clientRenegotiation: true }, ssl => {
      echo(ssl);
    });
    const failures: string[] = [];
    server.on('tlsClientError', error => failures.push((error as NodeJS.ErrnoException).code ?? ''));
    const { relay, second: hello, client: first } = await captureHellos(port);
    await first.shutdown({ wait: true, timeout: patience });
    await until(() => server.connections === 0, 'the end of the first connection');
    const recorded = relay.seen.filter(({ direction }) => direction === 'to server').map(({ datagram }) => datagram);
    const talk = async (ssl: Ssl, message: string): Promise<void> => {
      await ssl.write(message);
      assert.equal(String(await within(ssl.read(), message)), message);
    };

    // The server repeats its answer to what was replayed, which would disturb the handshake of a client that begins meanwhile.
    let stale = false;
    relay.treat = (datagram, direction) => {
      if (direction === 'to server') {
        if (isClientHello(datagram) && cookieOf(datagram).length > 0) stale = false;
        return [datagram];
      }
      const helloVerifyRequest = datagram[13] === 3;
      const ofHandshake = datagram[0] === 22 && datagram.readUInt16BE(3) === 0;
      return stale && ofHandshake && !helloVerifyRequest ? [] : [datagram];
    };
    /** Its answer has passed before a client begins. */
    const replay = async (): Promise<void> => {
      const seen = relay.seen.length;
      relay.send(hello, 'to server');
      await until(() => relay.seen.length > seen, 'the answer to the replayed ClientHello');
      await sleep(20);
      stale = true;
    };

    const client = await connectDtlsTo(relay.port);
    await talk(client, 'before');
    await replay();
    await talk(client, 'after its ClientHello');
    for (const datagram of [...recorded, ...recorded]) relay.send(datagram, 'to server');
    await talk(client, 'after all of it, twice');
    await client.renegotiate({ timeout: patience });
    await talk(client, 'after a renegotiation meanwhile');
    assert.equal(server.connections, 1);
    await until(() => failures.length > 0, 'the end of the handshake that nobody completes');
    await talk(client, 'after that');
    assert.equal(accepted[1]?.closed, false);

    // The client itself may begin anew, also while somebody replays.
    await replay();
    const closed = once(accepted[1] as Ssl, 'close');
    const anew = await connectDtlsTo(relay.port);
    await within(closed, 'the old connection to be closed');
    await talk(anew, 'anew');
    assert.equal(server.connections, 1);
    assert.equal(accepted.length, 3);
    // The one that lives ends while another handshake is under way.
    await replay();
    await anew.shutdown({ wait: true, timeout: patience });
    await until(() => server.connections === 0, 'the handshake to be given up');
    assert.equal(accepted.length, 3);
  });

  it('closes both, the connection of a client and the handshake that would take its place', async () => {
    const { server, port } = await startDtls({}, ssl => void echo(ssl));
    const { relay, second, client } = await captureHellos(port);
    await client.shutdown({ wait: true, timeout: patience });
    await until(() => server.connections === 0, 'the end of the first connection');
    await connectDtlsTo(relay.port);
    const seen = relay.seen.length;
    relay.send(second, 'to server');
    await until(() => relay.seen.length > seen, 'the answer to the replayed ClientHello');
    await within(server[Symbol.asyncDispose](), 'the end');
    assert.equal(server.connections, 0);
  });

  for (const [what, rate] of [
    ['a fifth lost', { lose: 0.2, twice: 0, late: 0 }],
    ['all twice', { lose: 0, twice: 1, late: 0 }],
    ['out of order', { lose: 0, twice: 0, late: 0.5 }],
    ['all of it', { lose: 0.15, twice: 0.2, late: 0.3 }],
  ] as const) {
    it(`completes its handshake whatever the way does: ${what}`, async () => {
      const { port } = await startDtls({ mtu: 400 }, ssl => void echo(ssl));
      const relay = await Relay.open(port);
      const random = randomNumbers();
      relay.treat = (datagram, direction) => {
        if (random() < rate.lose) return [];
        const copies = random() < rate.twice ? [datagram, datagram] : [datagram];
        if (random() >= rate.late) return copies;
        setTimeout(() => {
          for (const copy of copies) relay.send(copy, direction);
        }, 5);
        return [];
      };
      const client = await connectDtlsTo(relay.port, { mtu: 400, timeout: 50_000 });
      // Messages may be lost now: say it until there is an answer.
      let answer: string | undefined;
      while (answer === undefined) {
        await client.write('hello');
        answer = await client.read({ timeout: 200 }).then(String, () => undefined);
      }
      assert.equal(answer, 'hello');
    });
  }

  it('counts what it is told beside a ready context, on either side', async () => {
    const { cert, key } = certificates().server;
    const ca = certificates().ca.cert;
    const ready = new SslContext({ cert, key, ca, method: 'DTLS_server' });
    const strict = await startDtls({ secureContext: ready, requestCert: true });
    const refused = once(strict.server, 'tlsClientError');
    // Refused by a client, too, as soon as it hears of it.
    watch(connectDtlsTo(strict.port));
    const [error] = (await within(refused, 'the refusal')) as [NodeJS.ErrnoException];
    assert.equal(error.code, 'ERR_SSL_PEER_DID_NOT_RETURN_A_CERTIFICATE');
    const client = certificates().client;
    await connectDtlsTo(strict.port, { cert: client.cert, key: client.key });
    assert.equal((await strict.next()).peerCertificate?.subject, 'CN=client');

    const open = await startDtls({ secureContext: ready }, ssl => void echo(ssl));
    const trusting = new SslContext({ ca, method: 'DTLS_client' });
    const verify = (): boolean => {
      asked++;
      return false;
    };
    let asked = 0;
    await rejected(connectDtlsTo(open.port, { secureContext: trusting, verify }), /./);
    assert.equal(asked, 1);
  });

  it('close() during everything', async () => {
    for (const delay of [0, 1, 2, 3, 5, 8, 12]) {
      const server = createDtlsServer(serverOptions, ssl => void echo(ssl));
      await server.listen({ host: '127.0.0.1' });
      const port = server.address()?.port ?? 0;
      const connecting = Array.from({ length: 4 }, () => watch(connectDtlsTo(port, { handshakeTimeout: 200 })));
      await sleep(delay);
      await within(server[Symbol.asyncDispose](), 'the end');
      assert.equal(server.connections, 0);
      assert.equal(server.listening, false);
      for (const { promise } of connecting) {
        await promise.then(
          client => client.close(),
          error => assert.match(error.code, /ECONNREFUSED|HANDSHAKE_TIMEOUT/),
        );
      }
    }
  });

  it('close() waits for connections; a client that closes in its handshake leaves nothing', async () => {
    const { server, port, next } = await startDtls();
    const client = await connectDtlsTo(port);
    const peer = await next();
    const closed = watch(server.close());
    await sleep(20);
    assert.equal(closed.outcome.status, 'pending');
    await rejected(connectDtlsTo(port, { handshakeTimeout: 300 }), 'ERR_TLS_HANDSHAKE_TIMEOUT');
    await rejected(server.listen(), 'ERR_TLS_SERVER_CLOSING');
    await client.write('last');
    assert.equal(String(await within(peer.read(), 'what was said before the end')), 'last');
    peer.close();
    await within(closed.promise, 'the end');
    assert.equal(server.address(), null);
    const controller = new AbortController();
    const aborted = rejected(connectDtlsTo((await udp()).port, { signal: controller.signal }), 'ABORT_ERR');
    setTimeout(() => controller.abort(), 20);
    await aborted;
    await rejected(connectDtlsTo((await udp()).port, { timeout: 50 }), 'ERR_TLS_TIMEOUT');
  });

  it('can listen again as soon as close() is over, and not before', async () => {
    const { server } = await startDtls();
    const closing = server.close();
    await rejected(server.listen(), 'ERR_TLS_SERVER_CLOSING');
    await closing;
    await server.listen();
    assert.ok(server.listening);
  });

  it('names what cannot be: a port in use, a second listen(), nobody there, wrong options', async () => {
    const { server, port } = await startDtls();
    await rejected(server.listen(), 'ERR_TLS_SERVER_LISTENING');
    const other = createDtlsServer(serverOptions);
    await rejected(other.listen({ host: '127.0.0.1', port }), 'EADDRINUSE');
    assert.equal(other.listening, false);
    await other.listen({ host: 'localhost' });
    await other.close();
    await other.close();
    for (const host of ['127.0.0.1', 'localhost']) {
      const listening = rejected(other.listen({ host }), 'ERR_TLS_CLOSED');
      await within(other.close(), 'the end of what had not begun');
      await listening;
      assert.equal(other.listening, false);
    }
    const free = await udp();
    const { port: freePort } = free;
    free.close();
    await once(free, 'close');
    const error = await rejected(connectDtlsTo(freePort), 'ECONNREFUSED');
    assert.match(error.message, new RegExp(`127\\.0\\.0\\.1:${freePort}`));
    thrown(() => createDtlsServer({ ...serverOptions, maxConnections: -1 }), 'ERR_OUT_OF_RANGE');
    thrown(() => createDtlsServer({ ...serverOptions, mtu: 10 }), 'ERR_OUT_OF_RANGE');
    thrown(() => createDtlsServer({ ...serverOptions, handshakeTimeout: -1 }), 'ERR_OUT_OF_RANGE');
    const onIpv6 = await rejected(connectDtlsTo(freePort, { host: '::1' }), 'ECONNREFUSED');
    assert.ok(onIpv6.message.includes(`[::1]:${freePort}`), onIpv6.message);
    thrown(() => createDtlsServer({ secureContext: {} as never }), 'ERR_INVALID_ARG_TYPE');
    await rejected(connectDtlsTo(freePort, { secureContext: {} as never }), 'ERR_INVALID_ARG_TYPE');
    await rejected(connectDtlsTo(0), 'ERR_OUT_OF_RANGE');
    await rejected(connectDtlsTo(9, { localAddress: 'nowhere' }), 'EINVAL');
  });

  it('a peer that goes away later: ECONNREFUSED for who reads', async () => {
    const { server, port } = await startDtls();
    const client = await connectDtlsTo(port);
    const reading = watch(client.read());
    await server[Symbol.asyncDispose]();
    await client.write('anybody there?');
    await rejected(reading.promise, 'ECONNREFUSED');
    await rejected(client.write('?'), 'ECONNREFUSED');
  });
});
