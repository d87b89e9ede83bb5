import assert from 'node:assert/strict';
import { openSync } from 'node:fs';
import { Bio, BufferBio, Server, Ssl, SslBio, SslContext, SslSession, TlsSocket } from 'system-tls';
import { pattern } from '../../support/bytes.ts';
import { codes } from '../../support/codes.ts';
import { rejected, thrown } from '../../support/errors.ts';
import { accessors, methods } from '../../support/members.ts';
import {
  clientContext,
  connectedPair,
  type MemoryPair,
  makePair,
  type PairOptions,
  serverContext,
  tls12,
  tls13,
} from '../../support/memory-pair.ts';
import { turns, watch } from '../../support/wait.ts';

type Start = (ssl: Ssl) => Promise<unknown>;

type Side = 'client' | 'server';

const file = openSync(process.execPath, 'r');

/** All that an application can wait for; with a side, what that side alone can. */
const operations: ReadonlyArray<readonly [name: string, start: Start, only?: Side]> = [
  ['handshake', ssl => ssl.handshake()],
  ['read', ssl => ssl.read()],
  ['readInto', ssl => ssl.readInto(Buffer.alloc(8))],
  ['write', ssl => ssl.write(Buffer.from('x'))],
  ['write of much', ssl => ssl.write(pattern(8 << 20))],
  ['sendFile', ssl => ssl.sendFile(file)],
  ['keyUpdate', ssl => ssl.keyUpdate({ requestPeer: true })],
  ['renegotiate', ssl => ssl.renegotiate()],
  ['requestClientCertificate', ssl => ssl.requestClientCertificate(), 'server'],
  ['shutdown', ssl => ssl.shutdown({ wait: true })],
  ['next of the iterator', ssl => ssl[Symbol.asyncIterator]().next()],
];

/** Prefixes of a handle's life, at each of which it may be closed. */
const states: ReadonlyArray<readonly [name: string, reach: (options?: PairOptions) => Promise<MemoryPair>]> = [
  ['before the handshake', async options => makePair(options)],
  [
    'in the middle of the handshake',
    async options => {
      const pair = makePair(options);
      pair.toClient.allowance = 100;
      void pair.client.connect().catch(() => {});
      void pair.server.accept().catch(() => {});
      await pair.pump();
      return pair;
    },
  ],
  ['connected', async options => connectedPair(options)],
  [
    'with a full transport',
    async options => {
      const pair = await connectedPair({ ...options, transport: 'pair' });
      void pair.client.write(pattern(4 << 20)).catch(() => {});
      void pair.server.write(pattern(4 << 20)).catch(() => {});
      await turns(3);
      return pair;
    },
  ],
  [
    'in a renegotiation',
    async () => {
      const pair = await connectedPair({ both: tls12, server: { clientRenegotiation: true } });
      void pair.client.renegotiate().catch(() => {});
      void pair.server.renegotiate().catch(() => {});
      await turns(3);
      return pair;
    },
  ],
  [
    'after the peer’s close_notify',
    async options => {
      const pair = await connectedPair(options);
      await Promise.all([pair.client.shutdown(), pair.server.shutdown()]);
      await pair.pump();
      return pair;
    },
  ],
  [
    'after a failure',
    async options => {
      const pair = await connectedPair(options);
      pair.toClient.tamper = data => Buffer.alloc(data.length, 0x55);
      void pair.server.write(Buffer.from('x')).catch(() => {});
      await rejected(pair.during(pair.client.read()), /^ERR_SSL_/);
      return pair;
    },
  ],
];

describe('close', () => {
  for (const [state, reach] of states) {
    it(`${state}: rejects all that is pending with one code, and leaves nothing to do`, async () => {
      for (const side of ['client', 'server'] as const) {
        const pair = await reach();
        const possible = operations.filter(([, , only = side]) => only === side);
        const started = possible.map(([name, start]) => ({ name, watched: watch(start(pair[side])) }));
        // What can be done, or refused, at once is.
        await turns(2);
        const pending = started.filter(({ watched }) => watched.outcome.status === 'pending');
        pair[side].close();
        for (const { watched } of pending) await rejected(watched.promise, codes.closed);
        await turns(2);
      }
    });
  }

  it('some of them were pending indeed', async () => {
    const pair = await connectedPair();
    const pending = [pair.client.read(), pair.client.readInto(Buffer.alloc(1)), pair.client.shutdown({ wait: true })];
    const codesSeen = Promise.all(pending.map(each => rejected(each, codes.closed)));
    pair.client.close();
    await codesSeen;
  });

  it('twice, in each state, also within its own event', async () => {
    for (const [state, reach] of states) {
      const pair = await reach();
      let closes = 0;
      pair.client.on('close', () => {
        closes++;
        pair.client.close();
      });
      pair.client.close();
      pair.client.close();
      pair.client[Symbol.dispose]();
      await turns(3);
      // A connection that failed has said so already.
      assert.equal(closes, state === 'after a failure' ? 0 : 1);
    }
  });

  for (const [name, start, side = 'client'] of operations) {
    it(`${name} after it is a named error`, async () => {
      for (const make of [async () => makePair(), () => connectedPair()]) {
        const pair = await make();
        pair[side].close();
        await rejected(start(pair[side]), codes.closed);
      }
    });
  }

  it('the other methods after it are named errors as well, and the accessors too', async () => {
    const pair = await connectedPair();
    const session = pair.client.session as SslSession;
    pair.client.close();
    const calls: Array<() => unknown> = [
      () => pair.client.setFd(0),
      () => pair.client.setBio(Bio.memory(), Bio.memory()),
      () => pair.client.scheduleKeyUpdate('requested'),
      () => pair.client.scheduleRenegotiate(),
      () => pair.client.setSession(session),
      () => pair.client.exportKeyingMaterial(32, 'x'),
    ];
    for (const call of calls) thrown(call, codes.closed);
    const silent = new Set<PropertyKey>(['closed', 'side', 'context']);
    for (const [name] of accessors(Ssl)) {
      if (silent.has(name)) Reflect.get(pair.client, name);
      else thrown(() => Reflect.get(pair.client, name), codes.closed);
    }
    assert.equal(pair.client.closed, true);
    assert.equal(pair.client.side, 'client');
    pair.client.ref();
    pair.client.unref();
  });

  it('is what leaving a `using` block does', async () => {
    const pair = makePair();
    {
      using held = pair.client;
      assert.equal(held, pair.client);
    }
    await rejected(pair.client.connect(), codes.closed);
    assert.equal(typeof Ssl.prototype[Symbol.dispose], 'function');
  });

  it('a session taken before it stays usable after it', async () => {
    const pair = await connectedPair({ both: tls12 });
    const session = pair.client.session as SslSession;
    pair.close();
    assert.ok(session.serialize().length > 0);
    assert.equal(session.version, 'TLSv1.2');
  });
});

describe('a wrong this', () => {
  const classes = { Ssl, SslContext, SslSession, Bio, BufferBio, SslBio, TlsSocket, Server } as const;
  const values = [undefined, null, 7, 'text', {}, [], () => 0];

  for (const [name, type] of Object.entries(classes)) {
    const foreign = () =>
      Object.entries(classes).flatMap(([other, { prototype }]) => (other === name ? [] : [Object.create(prototype)]));

    it(`on every method of ${name} is a named error`, async () => {
      assert.ok(methods(type).length > 0 || type === SslContext);
      for (const [key, { value: method }] of methods(type)) {
        for (const self of [...values, ...foreign(), Object.create(type.prototype), type.prototype]) {
          let result: unknown;
          try {
            result = Reflect.apply(method, self, []);
          } catch (error) {
            assert.ok(error instanceof TypeError, `${name}.${String(key)}: ${String(error)}`);
            assert.equal((error as { code?: string }).code, codes.wrongThis, `${name}.${String(key)}: ${error.stack}`);
            continue;
          }
          // A generator does not look at its this before the first step.
          if (key === Symbol.asyncIterator) result = (result as AsyncIterator<unknown>).next();
          assert.ok(result instanceof Promise, `${name}.${String(key)} took a wrong this (${String(self)})`);
          await rejected(result, codes.wrongThis);
        }
      }
    });

    it(`on every accessor of ${name} is a named error`, () => {
      assert.ok(accessors(type).length > 0);
      for (const [, { get }] of accessors(type)) {
        for (const self of [...values, ...foreign(), Object.create(type.prototype), type.prototype]) {
          thrown(() => Reflect.apply(get as never, self, []), codes.wrongThis);
        }
      }
    });
  }
});

describe('a handle of another class as an argument', () => {
  it('is a named error, and the connection is as it was', async () => {
    const context = clientContext();
    const pair = await connectedPair();
    const wrong = [
      Bio.memory(),
      pair.client,
      pair.client.session,
      {},
      Object.create(SslContext.prototype),
      null,
      undefined,
      7,
    ];
    for (const value of wrong) thrown(() => new Ssl(value as never, { side: 'client' }), codes.wrongType);
    const fresh = makePair();
    const { session } = pair.client;
    for (const value of [context, pair.client, session, {}, Object.create(Bio.prototype), null, undefined, 7]) {
      thrown(() => fresh.client.setBio(value as never, Bio.memory()), codes.wrongType);
      thrown(() => fresh.client.setBio(Bio.memory(), value as never), codes.wrongType);
      if (value !== session) thrown(() => fresh.client.setSession(value as never), codes.wrongType);
    }
    await fresh.handshake();
    const read = pair.server.read();
    await pair.client.write(Buffer.from('fine'));
    assert.equal(String(await pair.during(read)), 'fine');
  });
});

describe('memory that goes away', () => {
  const detach = (memory: Uint8Array<ArrayBuffer>) => structuredClone(memory.buffer, { transfer: [memory.buffer] });

  it('detached under a write: a named error', async () => {
    const pair = makePair();
    const memory = new Uint8Array(4 << 20);
    const writing = rejected(pair.client.write(memory), 'ERR_TLS_BUFFER_DETACHED');
    detach(memory);
    await pair.during(Promise.all([pair.server.accept(), writing]));
  });

  it('detached under a readInto: a named error, and the data goes to the next read', async () => {
    const pair = await connectedPair();
    const memory = new Uint8Array(100);
    const reading = rejected(pair.server.readInto(memory), 'ERR_TLS_BUFFER_DETACHED');
    detach(memory);
    await pair.client.write('not lost');
    await pair.during(reading);
    assert.equal(String(await pair.during(pair.server.read())), 'not lost');
  });

  it('shrunk under a write and a readInto: named errors', async () => {
    const resizable = (length: number): ArrayBuffer & { resize(length: number): void } =>
      Reflect.construct(ArrayBuffer, [length, { maxByteLength: length }]) as never;
    const pair = makePair();
    const [source, target] = [resizable(4 << 20), resizable(100)];
    const writing = rejected(pair.client.write(new Uint8Array(source)), 'ERR_TLS_BUFFER_DETACHED');
    const reading = rejected(pair.client.readInto(new Uint8Array(target)), 'ERR_TLS_BUFFER_DETACHED');
    source.resize(10);
    target.resize(0);
    await pair.during(Promise.all([pair.server.accept(), writing]));
    await pair.server.write('x');
    await pair.during(reading);
  });

  it('shared with other threads may be written and read into', async () => {
    const pair = await connectedPair();
    const memory = new Uint8Array(new SharedArrayBuffer(6));
    const reading = pair.server.readInto(memory);
    await pair.client.write(new Uint8Array(new SharedArrayBuffer(3)).fill(65));
    assert.equal(await pair.during(reading), 3);
    assert.equal(String(Buffer.from(memory)), 'AAA\0\0\0');
  });
});

describe('construction', () => {
  it('without new is refused', () => {
    for (const type of [Ssl, SslContext, SslSession, Bio]) {
      assert.throws(() => Reflect.apply(type as never, undefined, []), TypeError);
    }
  });

  it('of an Ssl wants a side', () => {
    for (const options of [undefined, null, {}, { side: 'both' }, { side: 7 }, 'client']) {
      thrown(() => new Ssl(clientContext(), options as never), [codes.wrongType, codes.wrongValue]);
    }
  });

  it('of a SslContext refuses options that are none', () => {
    for (const options of [
      null,
      7,
      'x',
      { cert: 7 },
      { minVersion: 'TLSv9' },
      { ALPNProtocols: [''] },
      { ciphers: 7 },
    ]) {
      thrown(() => new SslContext(options as never), /^ERR_/);
    }
  });

  it('of sessions and BIOs is by their own makers only', () => {
    for (const type of [SslSession, Bio] as unknown as Array<new (...args: unknown[]) => unknown>) {
      for (const args of [[], [{}], [1], [null]]) assert.throws(() => new type(...args), TypeError);
    }
  });

  it('of thousands, never connected, costs no more than their memory', async () => {
    const [forClient, forServer] = [clientContext(tls13), serverContext(tls13)];
    for (let i = 0; i < 2000; i++) {
      const ssl =
        i % 2 === 0
          ? new Ssl(forClient, { side: 'client', servername: 'localhost' })
          : new Ssl(forServer, { side: 'server' });
      if (i % 3 === 0) ssl.setBio(Bio.memory(), Bio.memory());
      if (i % 5 === 0) void ssl.handshake().catch(() => {});
      if (i % 2 === 0) ssl.close();
    }
    await turns(3);
    await connectedPair();
  });
});
