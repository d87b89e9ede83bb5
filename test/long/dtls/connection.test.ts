// DTLS between our own sides: messages, the timer, renegotiation, transports, and what it does not have.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import {
  Bio,
  connect,
  connectDtls,
  createDtlsServer,
  createServer,
  IoPool,
  openssl,
  Ssl,
  SslContext,
  type SslContextOptions,
  TlsSocket,
} from 'system-tls';
import { needs } from '../../support/capabilities.ts';
import { certificates } from '../../support/certificates.ts';
import { packageFolder } from '../../support/child.ts';
import { connectDtlsTo, echo, Relay, startDtls, udp } from '../../support/dtls.ts';
import { rejected, thrown } from '../../support/errors.ts';
import { patience, sleep, turns, until, watch, within } from '../../support/wait.ts';

const { ca, server: serverIdentity, client: clientIdentity } = certificates();
const serverOptions = { cert: serverIdentity.cert, key: serverIdentity.key };

/** Both sides in memory, a datagram at a time in the hand of the test. */
class DatagramPair {
  readonly client: Ssl;
  readonly server: Ssl;
  readonly #bios = [Bio.memory(), Bio.memory(), Bio.memory(), Bio.memory()] as const;
  readonly toServer: Buffer[] = [];
  readonly toClient: Buffer[] = [];

  constructor(client: SslContextOptions = {}, server: SslContextOptions = {}, mtu?: number) {
    const contexts = [
      new SslContext({ method: 'DTLS', ca: ca.cert, ...client }),
      new SslContext({ method: 'DTLS', ...serverOptions, ...server }),
    ] as const;
    this.client = new Ssl(contexts[0], { side: 'client', host: 'localhost', mtu });
    this.server = new Ssl(contexts[1], { side: 'server', mtu });
    const [clientIn, clientOut, serverIn, serverOut] = this.#bios;
    this.client.setBio(clientIn, clientOut);
    this.server.setBio(serverIn, serverOut);
  }

  /** Takes what has left both sides. */
  collect(): void {
    const [, clientOut, , serverOut] = this.#bios;
    for (const [from, to] of [[clientOut, this.toServer] as const, [serverOut, this.toClient] as const]) {
      for (let prefix = from.read(2); prefix !== null && prefix.length === 2; prefix = from.read(2)) {
        to.push(from.read(prefix.readUInt16BE()) as Buffer);
      }
    }
  }

  give(datagram: Buffer, side: 'client' | 'server'): void {
    const length = Buffer.alloc(2);
    length.writeUInt16BE(datagram.length);
    this.#bios[side === 'client' ? 0 : 2].write(Buffer.concat([length, datagram]));
  }

  /** Until nothing moves. */
  async pump(): Promise<void> {
    for (let idle = 0; idle < 3; ) {
      await turns(2);
      this.collect();
      const [up, down] = [this.toServer.splice(0), this.toClient.splice(0)];
      idle = up.length + down.length === 0 ? idle + 1 : 0;
      for (const datagram of up) this.give(datagram, 'server');
      for (const datagram of down) this.give(datagram, 'client');
    }
  }

  /** Until `work` is done, with all the `forged` ahead of each datagram. */
  async amid(forged: readonly Buffer[], work: Promise<unknown>): Promise<void> {
    const done = watch(work);
    for (let round = 0; done.outcome.status === 'pending' && round < 50; round++) {
      await turns(2);
      this.collect();
      const [up, down] = [this.toServer.splice(0), this.toClient.splice(0)];
      for (const datagram of [...forged, ...up]) this.give(datagram, 'server');
      for (const datagram of [...forged, ...down]) this.give(datagram, 'client');
    }
    await within(done.promise, 'what was to be done amid forged datagrams');
    await this.pump();
  }

  /** Messages both ways, among them the shortest, whose records no check may take for too short. */
  async talk(): Promise<void> {
    const { client, server } = this;
    for (const message of ['x', 'xy', 'a longer one']) {
      await Promise.all([client.write(message), server.write(message)]);
      await this.pump();
      const got = await within(Promise.all([client.read(), server.read()]), 'a message');
      assert.deepEqual(got.map(String), [message, message]);
    }
  }

  async connect(): Promise<this> {
    const both = Promise.all([this.client.connect(), this.server.accept()]);
    await this.pump();
    await within(both, 'the handshake');
    return this;
  }

  close(): void {
    this.client.close();
    this.server.close();
  }
}

/** Records of all lengths from 0 to 40 and of all types, which anybody could send. */
function forgedDatagrams(epochs: readonly number[]): Buffer[] {
  const forged: Buffer[] = [];
  for (const epoch of epochs) {
    for (const type of [19, 20, 21, 22, 23, 24]) {
      for (let length = 0; length <= 40; length++) {
        const record = Buffer.alloc(13 + length, 2);
        record[0] = type;
        record.writeUInt16BE(0xfefd, 1);
        record.writeUInt16BE(epoch, 3);
        record.writeUIntBE(1000 + forged.length, 5, 6);
        record.writeUInt16BE(length, 11);
        forged.push(record, record.subarray(0, 13 + (length >> 1)));
      }
    }
  }
  return forged.filter(({ length }) => length > 0);
}

/** Within a record of another version, behind which is one that is cut: OpenSSL skips the header alone of the first. */
function hidden(record: Buffer): Buffer {
  const other = Buffer.from(record.subarray(0, 13));
  other[0] = 23;
  other.writeUInt16BE(0xfeff, 1);
  other.writeUInt16BE(record.length, 11);
  const long = Buffer.from(other);
  long.writeUInt16BE(0xfefd, 1);
  long.writeUInt16BE(0xffff, 11);
  return Buffer.concat([other, record, long, record]);
}

describe('DTLS', () => {
  before(function () {
    needs(this, openssl.features.dtls, 'this OpenSSL was built without DTLS');
  });

  it('connects, verifies, keeps messages apart, and says goodbye both ways', async () => {
    const { server, port, next } = await startDtls();
    const client = await connectDtlsTo(port);
    const peer = await next();
    assert.equal(client.version, 'DTLSv1.2');
    assert.equal(client.verifyResult.name, 'OK');
    assert.equal(client.peerCertificate?.subject, 'CN=localhost');
    // Nobody reads yet: each message is kept by itself.
    await client.write('one');
    await client.write('two');
    await client.write(Buffer.alloc(1000, 3));
    await until(() => peer.readableAmount === 1006, 'the messages');
    assert.equal(String(await peer.read()), 'one');
    assert.equal(String(await peer.read()), 'two');
    assert.equal((await peer.read())?.length, 1000);
    // Somebody waits already.
    const waiting = [client.read(), client.read()];
    await peer.write('three');
    await peer.write('four');
    assert.deepEqual((await within(Promise.all(waiting), 'the messages')).map(String), ['three', 'four']);
    const goodbye = client.shutdown({ wait: true });
    assert.equal(await within(peer.read(), 'close_notify'), null);
    await peer.shutdown();
    await within(goodbye, 'the answer');
    peer.close();
    client.close();
    await until(() => server.connections === 0, 'the end');
  });

  it('refuses a server that does not verify, and both sides say why', async () => {
    const { server, port } = await startDtls();
    const told = new Promise<Error>(resolve => server.once('tlsClientError', resolve));
    await rejected(connectDtlsTo(port, { ca: certificates().otherCa.cert }), /UNABLE_TO|SELF_SIGNED/);
    const error = (await within(told, 'the alert')) as NodeJS.ErrnoException;
    assert.equal(error.code, 'ERR_SSL_TLSV1_ALERT_UNKNOWN_CA');
    await until(() => server.connections === 0, 'nothing to be left');
    await rejected(connectDtlsTo(port, { host: 'localhost', servername: 'other.example', family: 4 }), /ALTNAME/);
  });

  it('resumes a session', async () => {
    const { port, next } = await startDtls({}, ssl => void echo(ssl));
    const first = await connectDtlsTo(port);
    await next();
    const { session } = first;
    assert.ok(session);
    await first.shutdown();
    first.close();
    const second = await connectDtlsTo(port, { session });
    assert.equal(second.sessionReused, true);
    await second.write('again');
    assert.equal(String(await second.read()), 'again');
  });

  it('a message is one datagram; one that is too long is refused, and the connection goes on', async () => {
    const pair = await new DatagramPair().connect();
    await pair.client.write(Buffer.alloc(16384, 1));
    await turns(2);
    pair.collect();
    assert.equal(pair.toServer.length, 1);
    await pair.pump();
    await rejected(pair.client.write(Buffer.alloc(16385)), 'ERR_SSL_DTLS_MESSAGE_TOO_BIG');
    await pair.client.write('short');
    await pair.pump();
    assert.equal((await pair.server.read())?.length, 16384);
    assert.equal(String(await pair.server.read()), 'short');
    // What does not fit into the reader's memory is given by the next read.
    await pair.client.write('0123456789');
    await pair.client.write('next');
    await pair.pump();
    const [part, rest] = [Buffer.alloc(4), Buffer.alloc(100)];
    assert.equal(await pair.server.readInto(part), 4);
    assert.equal(await pair.server.readInto(rest), 6);
    assert.equal(String(await pair.server.read()), 'next');
    pair.close();
  });

  it('mtu: no datagram is longer, handshakes are divided, longer messages refused', async () => {
    const mtu = 300;
    const pair = new DatagramPair({}, {}, mtu);
    const both = Promise.all([pair.client.connect(), pair.server.accept()]);
    let longest = 0;
    let count = 0;
    const done = watch(both);
    while (done.outcome.status === 'pending' && count < 100) {
      await turns(2);
      pair.collect();
      const [up, down] = [pair.toServer.splice(0), pair.toClient.splice(0)];
      for (const datagram of [...up, ...down]) longest = Math.max(longest, datagram.length);
      count += up.length + down.length;
      for (const datagram of up) pair.give(datagram, 'server');
      for (const datagram of down) pair.give(datagram, 'client');
    }
    await both;
    assert.ok(longest > 200 && longest <= mtu, `${longest}`);
    assert.ok(count > 4, `${count}`);
    await rejected(pair.client.write(Buffer.alloc(mtu)), 'ERR_SSL_DTLS_MESSAGE_TOO_BIG');
    await pair.client.write(Buffer.alloc(mtu - 100));
    await turns(2);
    pair.collect();
    assert.ok((pair.toServer[0]?.length ?? 0) <= mtu);
    pair.close();
  });

  it('mtu: the smallest that is taken is enough for a handshake, over IPv4, IPv6 and BIOs', async () => {
    const mtu = 228;
    for (const host of ['127.0.0.1', '::1']) {
      const server = createDtlsServer({ ...serverOptions, mtu }, ssl => void echo(ssl));
      await server.listen({ host });
      const client = await connectDtlsTo(server.address()?.port ?? 0, { host, mtu });
      await client.write('small');
      assert.equal(String(await within(client.read(), host)), 'small');
      await client.shutdown({ wait: true, timeout: patience });
      await server[Symbol.asyncDispose]();
    }
    const pair = await new DatagramPair({}, {}, mtu).connect();
    await pair.talk();
    pair.close();
  });

  it('a callback that takes longer than a retransmission decides about the peer, on either side', async () => {
    const verify = async (): Promise<boolean> => {
      await sleep(1500);
      return true;
    };
    const { port, next } = await startDtls({ ca: ca.cert, requestCert: true, verify });
    const identity = { cert: clientIdentity.cert, key: clientIdentity.key };
    const client = await connectDtlsTo(port, { ...identity, verify });
    const peer = await next();
    assert.equal(peer.peerCertificate?.subject, 'CN=client');
    await client.write('verified');
    assert.equal(String(await within(peer.read(), 'the message')), 'verified');
  });

  it('sends a lost flight again, when its time is over', async () => {
    const pair = new DatagramPair();
    const begin = performance.now();
    const both = Promise.all([pair.client.connect(), pair.server.accept()]);
    await turns(4);
    pair.collect();
    const [lost] = pair.toServer.splice(0);
    await until(() => {
      pair.collect();
      return pair.toServer.length > 0;
    }, 'the second ClientHello');
    const waited = performance.now() - begin;
    // RFC 6347 section 4.2.4.1: an initial value of 1 second.
    assert.ok(waited > 700 && waited < 20_000, `${waited}`);
    assert.deepEqual(pair.toServer[0]?.subarray(25), lost?.subarray(25));
    await pair.pump();
    await within(both, 'the handshake');
    pair.close();
  });

  it('answers a peer that lost our last flight, though nobody reads here', async () => {
    const pair = new DatagramPair();
    const both = Promise.all([pair.client.connect(), pair.server.accept()]);
    const served = watch(pair.server.accept());
    while (served.outcome.status === 'pending') {
      await turns(2);
      pair.collect();
      for (const datagram of pair.toServer.splice(0)) pair.give(datagram, 'server');
      await turns(2);
      if (served.outcome.status !== 'pending') break;
      pair.collect();
      for (const datagram of pair.toClient.splice(0)) pair.give(datagram, 'client');
    }
    pair.collect();
    assert.ok(pair.toClient.splice(0).length > 0, 'its Finished is lost');
    await until(() => {
      pair.collect();
      for (const datagram of pair.toServer.splice(0)) pair.give(datagram, 'server');
      for (const datagram of pair.toClient.splice(0)) pair.give(datagram, 'client');
      return pair.client.established;
    }, 'the end of the handshake');
    await both;
    pair.close();
  });

  // RFC 6347 section 4.1.2.7. libssl takes some of them for fatal errors, whatever the key.
  for (const ciphers of [
    'ECDHE-ECDSA-AES128-GCM-SHA256',
    'ECDHE-ECDSA-CHACHA20-POLY1305',
    'ECDHE-ECDSA-AES128-CCM',
    'ECDHE-ECDSA-AES128-CCM8:@SECLEVEL=0',
    'ECDHE-ECDSA-AES128-SHA256',
    'ECDHE-ECDSA-AES128-SHA',
  ]) {
    it(`no forged record ends a connection, however short: ${ciphers}`, async () => {
      const pair = new DatagramPair({ ciphers }, { ciphers });
      // In epoch 0 nothing is authenticated before the handshake is: it has its turn afterwards.
      await pair.amid(forgedDatagrams([1, 2]), Promise.all([pair.client.connect(), pair.server.accept()]));
      await pair.talk();
      for (const side of ['server', 'client'] as const) {
        for (const datagram of forgedDatagrams([0, 1, 2])) {
          pair.give(datagram, side);
          pair.give(hidden(datagram), side);
        }
        await pair.talk();
      }
      pair.close();
    });
  }

  it('no forged record ends a connection during or after a renegotiation that changes the cipher', async () => {
    const [long, short] = ['ECDHE-ECDSA-AES128-GCM-SHA256', 'ECDHE-ECDSA-CHACHA20-POLY1305'] as const;
    const ciphers = `${long}:${short}`;
    const pair = await new DatagramPair({ ciphers }, { ciphers, clientRenegotiation: true }).connect();
    const tooShortForBoth = forgedDatagrams([0, 1, 2, 3]).filter(({ length }) => length < 13 + 16);
    for (const cipher of [short, long]) {
      pair.client.setCiphers(cipher);
      await pair.amid(tooShortForBoth, pair.client.renegotiate({ timeout: patience }));
      assert.equal(pair.client.cipher?.name, cipher);
      for (const side of ['server', 'client'] as const) {
        for (const datagram of forgedDatagrams([0, 1, 2, 3])) pair.give(datagram, side);
      }
      await pair.talk();
    }
    pair.close();
  });

  it('no forged record ends a connection on a socket, on a thread, or of a server', async () => {
    const pool = new IoPool({ threads: 1 });
    for (const io of [undefined, pool]) {
      const { port, next } = await startDtls({}, ssl => void echo(ssl));
      const relay = await Relay.open(port);
      const client = await connectDtlsTo(relay.port, { io });
      const peer = await next();
      for (const direction of ['to server', 'to client'] as const) {
        for (const datagram of forgedDatagrams([1]).filter(({ length }) => length < 13 + 24)) {
          relay.send(datagram, direction);
          if (datagram.length % 20 === 0) await sleep(1);
        }
      }
      await sleep(50);
      await client.write('still there');
      assert.equal(String(await within(client.read(), 'the echo')), 'still there');
      assert.equal(peer.closed, false);
    }
    await pool.close();
  });

  it('drops what is replayed, forged or cut, and goes on', async () => {
    const pair = await new DatagramPair().connect();
    await pair.client.write('one');
    await pair.client.write('two');
    await turns(2);
    pair.collect();
    const [one, two] = pair.toServer.splice(0) as [Buffer, Buffer];
    const forged = Buffer.from(one);
    forged[forged.length - 1] = (forged.at(-1) as number) ^ 1;
    for (const datagram of [
      forged,
      one.subarray(0, -3),
      Buffer.from('garbage'),
      Buffer.alloc(40_000),
      two,
      one,
      one,
      two,
    ]) {
      pair.give(datagram, 'server');
    }
    assert.equal(String(await within(pair.server.read(), 'a message')), 'two');
    assert.equal(String(await within(pair.server.read(), 'a message')), 'one');
    const more = watch(pair.server.read());
    await pair.pump();
    assert.equal(more.outcome.status, 'pending');
    await pair.client.write('three');
    await pair.pump();
    assert.equal(String(await more.promise), 'three');
    pair.close();
  });

  describe('renegotiation', () => {
    it('by the client: full by default, abbreviated on request, with messages that cross it', async () => {
      const pair = await new DatagramPair({}, { clientRenegotiation: true }).connect();
      for (const abbreviated of [false, true]) {
        await pair.server.write(`before ${abbreviated}`);
        const renegotiated = pair.client.renegotiate({ abbreviated });
        await pair.pump();
        await within(renegotiated, 'the renegotiation');
        assert.equal(pair.client.sessionReused, abbreviated);
        assert.equal(String(await pair.client.read()), `before ${abbreviated}`);
        await pair.client.write('after');
        await pair.pump();
        assert.equal(String(await pair.server.read()), 'after');
      }
      assert.equal(pair.server.renegotiations, 2);
      pair.close();
    });

    it('by the server: the client does not try to resume its session', async () => {
      const pair = await new DatagramPair().connect();
      const events: unknown[] = [];
      pair.client.on('renegotiate', event => events.push(event));
      for (const abbreviated of [false, true]) {
        const renegotiated = pair.server.renegotiate({ abbreviated });
        await pair.pump();
        await within(renegotiated, 'the renegotiation');
        assert.equal(pair.client.sessionReused, false);
      }
      assert.equal(pair.client.renegotiations, 2);
      assert.deepEqual(events, [
        { from: 'peer', resumed: false },
        { from: 'peer', resumed: false },
      ]);
      pair.close();
    });

    it('for the client’s certificate, over UDP', async () => {
      const { port, next } = await startDtls({ ca: ca.cert });
      const client = await connectDtlsTo(port, { cert: clientIdentity.cert, key: clientIdentity.key });
      const peer = await next();
      assert.deepEqual(peer.peerCertificateChain, []);
      const reading = watch(client.read());
      await within(peer.requestClientCertificate(), 'the certificate');
      assert.equal(peer.peerCertificate?.subject, 'CN=client');
      await peer.write('secret');
      assert.equal(String(await reading.promise), 'secret');
    });

    it('is refused to a client by default, and limited otherwise', async () => {
      const refused = await new DatagramPair().connect();
      const failed = rejected(refused.client.renegotiate({ timeout: patience }), 'ERR_SSL_NO_RENEGOTIATION');
      await refused.pump();
      await failed;
      refused.close();
      const limited = await new DatagramPair({}, { clientRenegotiation: { limit: 1 } }).connect();
      const first = limited.client.renegotiate();
      await limited.pump();
      await first;
      const reading = watch(limited.server.read());
      const controller = new AbortController();
      const second = watch(limited.client.renegotiate({ signal: controller.signal }));
      await limited.pump();
      await rejected(reading.promise, 'ERR_TLS_TOO_MANY_RENEGOTIATIONS');
      controller.abort();
      await rejected(second.promise, ['ABORT_ERR', 'ERR_SSL_UNEXPECTED_EOF']);
      limited.close();
    });

    it('survives the loss of a flight', async () => {
      const { port, next } = await startDtls({ clientRenegotiation: true }, ssl => void echo(ssl));
      const relay = await Relay.open(port);
      const client = await connectDtlsTo(relay.port);
      await next();
      let lost = 0;
      relay.treat = datagram => (lost++ % 3 === 0 && lost < 7 ? [] : [datagram]);
      await within(client.renegotiate(), 'the renegotiation');
      assert.ok(lost >= 3);
      await client.write('after');
      assert.equal(String(await within(client.read(), 'the echo')), 'after');
    });
  });

  describe('transports', () => {
    it('setFd(): a connected datagram socket, on the loop and on an I/O thread', async () => {
      const { port, next } = await startDtls({}, ssl => void echo(ssl));
      const pool = new IoPool({ threads: 1 });
      try {
        for (const io of [undefined, pool]) {
          const client = await connectDtlsTo(port, { io });
          await next();
          for (let i = 0; i < 100; i++) {
            await client.write(`message ${i}`);
            assert.equal(String(await within(client.read(), 'the echo')), `message ${i}`);
          }
          await client.shutdown({ wait: true, timeout: patience });
          client.close();
        }
      } finally {
        await pool.close();
      }
    });

    it('setDatagramSocket(): a socket of node:dgram on either side, which stays its owner’s', async () => {
      const [one, other, stranger] = [await udp(), await udp(), await udp()];
      const client = new Ssl(new SslContext({ method: 'DTLS_client', ca: ca.cert }), {
        side: 'client',
        host: 'localhost',
      });
      const server = new Ssl(new SslContext({ method: 'DTLS_server', ...serverOptions }), { side: 'server' });
      client.setDatagramSocket(one, { address: '127.0.0.1', port: other.port });
      server.setDatagramSocket(other, { address: '127.0.0.1', port: one.port });
      await within(Promise.all([client.connect(), server.accept()]), 'the handshake');
      stranger.send('not for you', other.port, '127.0.0.1');
      await client.write('hello');
      assert.equal(String(await within(server.read(), 'the message')), 'hello');
      client.close();
      const reading = server.read();
      other.close();
      await rejected(reading, 'ERR_SSL_UNEXPECTED_EOF');
      assert.equal(one.listenerCount('message'), 0);
    });

    it('refuses sockets and calls that do not fit', async () => {
      const dtls = new SslContext({ method: 'DTLS', ca: ca.cert });
      const tls = new SslContext({ ca: ca.cert });
      const socket = await udp();
      const peer = { address: '127.0.0.1', port: 9 };
      const client = new Ssl(dtls, { side: 'client' });
      thrown(() => client.setDatagramSocket({} as never, peer), 'ERR_INVALID_ARG_TYPE');
      thrown(() => client.setDatagramSocket(socket, { address: '127.0.0.1', port: 0 }), 'ERR_OUT_OF_RANGE');
      thrown(() => client.setDatagramSocket(socket), 'ERR_SOCKET_DGRAM_NOT_CONNECTED');
      client.setDatagramSocket(socket, peer);
      thrown(() => client.setDatagramSocket(socket, peer), 'ERR_TLS_HAS_TRANSPORT');
      client.close();
      thrown(() => new Ssl(tls, { side: 'client' }).setDatagramSocket(socket, peer), 'ERR_TLS_DTLS');
      thrown(() => new Ssl(tls, { side: 'client', mtu: 500 }), 'ERR_TLS_DTLS');
      for (const side of ['client', 'server'] as const) {
        const sized = thrown(() => new Ssl(dtls, { side, dynamicRecordSizing: true }), 'ERR_TLS_DTLS');
        assert.match(sized.message, /dynamicRecordSizing is for streams/);
        new Ssl(dtls, { side, dynamicRecordSizing: false }).close();
      }
      for (const mtu of [208, 227, 65508, 1.5])
        thrown(() => new Ssl(dtls, { side: 'client', mtu }), 'ERR_OUT_OF_RANGE');
      thrown(() => new Ssl(dtls, { side: 'client' }).setFd(0), ['ENOTSOCK', 'EPROTOTYPE', 'ENOTCONN']);
    });
  });

  describe('what it does not have', () => {
    it('streams, files, key updates: named errors, and the connection goes on', async () => {
      const pair = await new DatagramPair().connect();
      await rejected(pair.client.keyUpdate(), 'ERR_SSL_WRONG_SSL_VERSION');
      thrown(() => pair.client.scheduleKeyUpdate('requested'), 'ERR_SSL_WRONG_SSL_VERSION');
      const fd = await import('node:fs/promises').then(({ open }) => open(`${packageFolder}/package.json`));
      await rejected(pair.client.sendFile(fd), 'ERR_TLS_DTLS');
      await fd.close();
      assert.ok(readFileSync(`${packageFolder}/package.json`).length > 0);
      thrown(() => new TlsSocket(pair.client), 'ERR_TLS_DTLS');
      await pair.client.write('still');
      await pair.pump();
      assert.equal(String(await pair.server.read()), 'still');
      pair.close();
    });

    it('connect() and createServer() with it, connectDtls() and createDtlsServer() without', async () => {
      await rejected(connect({ port: 9, method: 'DTLS' }), 'ERR_TLS_DTLS');
      thrown(() => createServer({ ...serverOptions, method: 'DTLS' }), 'ERR_TLS_DTLS');
      await rejected(connectDtls({ port: 9, method: 'TLS' }), 'ERR_TLS_DTLS');
      thrown(() => createDtlsServer({ ...serverOptions, method: 'TLS_server' }), 'ERR_TLS_DTLS');
      thrown(() => createDtlsServer({ ...serverOptions, method: 'DTLS_client' }), 'ERR_TLS_WRONG_SIDE');
    });
  });

  it('methods and versions: by name, and those of TLS are another matter', async () => {
    const pair = await new DatagramPair({ method: 'DTLSv1_2_client' }, { method: 'DTLSv1_2_server' }).connect();
    assert.equal(pair.client.version, 'DTLSv1.2');
    pair.close();
    const old = { ciphers: 'ALL:@SECLEVEL=0' };
    const first = await new DatagramPair({ method: 'DTLSv1', ...old }, { minVersion: 'DTLSv1', ...old }).connect();
    assert.equal(first.server.version, 'DTLSv1');
    first.close();
    for (const options of [
      { minVersion: 'TLSv1.2' },
      { maxVersion: 'TLSv1.3' },
      { maxVersion: 'DTLSv1' },
      { minVersion: 'DTLSv1.3' as never },
    ] as SslContextOptions[]) {
      thrown(() => new SslContext({ method: 'DTLS', ...options }), 'ERR_TLS_INVALID_PROTOCOL_VERSION');
    }
    thrown(() => new SslContext({ minVersion: 'DTLSv1.2' }), 'ERR_TLS_INVALID_PROTOCOL_VERSION');
    thrown(() => new SslContext({ method: 'DTLSv1_2', minVersion: 'DTLSv1.2' }), 'ERR_TLS_PROTOCOL_VERSION_CONFLICT');
    thrown(() => new SslContext({ method: 'DTLSv1_3' as never }), 'ERR_TLS_INVALID_PROTOCOL_METHOD');
  });
});
