// What holds for every function that a handshake asks: whatever it does, and whatever ends meanwhile, each side hears of it once,
// and nothing is left.
import assert from 'node:assert/strict';
import { constants } from 'node:crypto';
import { once } from 'node:events';
import net from 'node:net';
import { duplexPair } from 'node:stream';
import {
  type ConnectOptions,
  connect,
  IoPool,
  type OpenSslError,
  type ServerOptions,
  Ssl,
  SslContext,
  type TlsSocket,
} from 'system-tls';
import { type AnyFunction, type CallbackKind, callbackKinds } from '../../support/callback-kinds.ts';
import { certificates, type Identity } from '../../support/certificates.ts';
import { codes } from '../../support/codes.ts';
import { causeCode, rejected } from '../../support/errors.ts';
import { connectedPair, makePair, stillCarries, tls12, tls13, versions } from '../../support/memory-pair.ts';
import { formOfResponse } from '../../support/ocsp.ts';
import { connectTo, pool, type Running, startServer } from '../../support/sockets.ts';
import { sleep, turns, until, within } from '../../support/wait.ts';

const identity = ({ cert, key }: Identity) => ({ cert, key });

/** Functions get their request last, and with it the connection. */
const sslOf = (given: readonly unknown[]): Ssl => (given.at(-1) as { readonly ssl: Ssl }).ssl;

/** A function that waits for the test to answer. */
function held(kind: CallbackKind) {
  const answers: Array<() => void> = [];
  const call = () => new Promise(resolve => answers.push(() => resolve(kind.right())));
  return { call, answers };
}

interface Attempt {
  readonly running: Running;
  readonly connecting: Promise<TlsSocket>;
  /** What the server has heard of handshakes that failed. */
  readonly errors: OpenSslError[];
  /** What the side with the function says of its failure. */
  owner(): Promise<OpenSslError>;
  /** That the client has failed. */
  client(): Promise<OpenSslError>;
  /** That the other side has failed too. */
  other(): Promise<OpenSslError>;
}

async function attempt(
  kind: CallbackKind,
  call: AnyFunction,
  more: { readonly server?: ServerOptions; readonly client?: Partial<ConnectOptions> },
): Promise<Attempt> {
  const { server, client } = kind.options(call);
  const running = await startServer({ ...more.server, ...server });
  const errors: OpenSslError[] = [];
  running.server.on('tlsClientError', error => errors.push(error as OpenSslError));
  const connecting = connectTo(running.port, { ...more.client, ...client });
  connecting.catch(() => {});
  const onServer = async (): Promise<OpenSslError> => {
    await until(() => errors.length > 0, 'the server to hear of it');
    return errors[0] as OpenSslError;
  };
  // In TLS 1.3 a client's handshake may be over when its server gives up.
  const onClient = async (): Promise<OpenSslError> => {
    const fails = connecting.then(async socket => {
      socket.resume();
      if (!socket.closed) await once(socket, 'close');
      throw socket.errored ?? Object.assign(new Error('it ended'), { code: 'ENDED' });
    });
    return (await rejected(fails, /^E/)) as unknown as OpenSslError;
  };
  const [owner, other] = kind.side === 'server' ? [onServer, onClient] : [onClient, onServer];
  return { running, connecting, errors, client: onClient, owner, other };
}

async function carries(client: TlsSocket, server: TlsSocket): Promise<void> {
  for (const [from, to] of [
    [client, server],
    [server, client],
  ] as const) {
    const arrived = once(to, 'data');
    from.write('hello');
    assert.equal(String((await within(arrived, 'data'))[0]), 'hello');
  }
}

const failures: ReadonlyArray<readonly [how: string, call: AnyFunction, reason: unknown]> = [
  [
    'throws an error',
    () => {
      throw new TypeError('on purpose');
    },
    'on purpose',
  ],
  [
    'throws a text',
    () => {
      throw 'on purpose';
    },
    'on purpose',
  ],
  [
    'throws nothing',
    () => {
      throw undefined;
    },
    undefined,
  ],
  ['rejects', () => Promise.reject(new TypeError('on purpose')), 'on purpose'],
  ['rejects later', () => sleep(3).then(() => Promise.reject(new TypeError('on purpose'))), 'on purpose'],
  ['rejects with nothing', () => Promise.reject(), undefined],
  [
    'gives a thenable that throws',
    () => ({
      // biome-ignore lint/suspicious/noThenProperty: the point
      then() {
        throw new TypeError('on purpose');
      },
    }),
    'on purpose',
  ],
  [
    'gives a thenable whose then cannot be read',
    () => ({
      // biome-ignore lint/suspicious/noThenProperty: the point
      get then() {
        throw new TypeError('on purpose');
      },
    }),
    'on purpose',
  ],
];

for (const kind of callbackKinds) {
  describe(`a handshake that asks ${kind.name}`, () => {
    for (const [version, both] of versions) {
      const more = { server: both, client: both };

      it(`${version}: goes on with an answer, at once, by a promise and by a thenable`, async () => {
        const ways: AnyFunction[] = [
          () => kind.right(),
          async () => kind.right(),
          () => sleep(3).then(kind.right),
          // biome-ignore lint/suspicious/noThenProperty: the point
          () => ({ then: (settle: (answer: unknown) => void) => void setImmediate(settle, kind.right()) }),
          // biome-ignore lint/suspicious/noThenProperty: the point
          () => ({ then: (settle: (answer: unknown) => void) => [settle(kind.right()), settle(kind.wrong)] }),
        ];
        for (const way of ways) {
          const made = await attempt(kind, way, more);
          await carries(...(await Promise.all([made.connecting, made.running.next()])));
          assert.deepEqual(made.errors, []);
        }
      });

      for (const [how, call, reason] of failures) {
        it(`${version}: one that ${how} ends it on both sides, with its cause`, async () => {
          const made = await attempt(kind, call, more);
          const error = await made.owner();
          assert.equal(error.code, kind.code, error.stack);
          const cause = error.cause as Error | string | undefined;
          assert.equal(cause instanceof Error ? cause.message : cause, reason);
          await made.other();
          assert.ok(made.errors.length === 1);
        });
      }

      it(`${version}: an answer of another type ends it on both sides, at once and later`, async () => {
        for (const later of [false, true]) {
          const made = await attempt(kind, () => (later ? sleep(2, kind.wrong) : kind.wrong), more);
          const error = await made.owner();
          // The functions that verify fail with the reason itself.
          if (kind.name.startsWith('verify')) assert.equal(error.code, 'ERR_INVALID_RETURN_VALUE', error.stack);
          else assert.equal(error.code, kind.code, error.stack);
          const reason = kind.name.startsWith('verify') ? error.code : causeCode(error);
          assert.match(reason, /^ERR_(INVALID_RETURN_VALUE|TLS_ALPN_CALLBACK_INVALID_RESULT)$/);
          await made.other();
        }
      });

      it(`${version}: one that never answers meets handshakeTimeout; an answer afterwards is too late`, async () => {
        const { call, answers } = held(kind);
        const limited = { handshakeTimeout: 150 };
        const own = { [kind.side]: { ...both, ...limited } };
        const made = await attempt(kind, call, { ...more, ...own });
        assert.equal((await made.owner()).code, 'ERR_TLS_HANDSHAKE_TIMEOUT');
        await made.other();
        for (const answer of answers) answer();
        await turns(3);
      });

      it(`${version}: the peer goes while it waits; then it is answered`, async () => {
        const { call, answers } = held(kind);
        const { server, client } = kind.options(call);
        const running = await startServer({ ...both, ...server });
        const errors: unknown[] = [];
        running.server.on('tlsClientError', error => errors.push(error));
        const plain = net.connect(running.port, '127.0.0.1');
        await within(once(plain, 'connect'), 'TCP');
        const aborter = new AbortController();
        const connecting = connectTo(running.port, { ...both, ...client, signal: aborter.signal });
        connecting.catch(() => {});
        await until(() => answers.length === 1, 'the question');
        if (kind.side === 'client') running.server.closeAllConnections();
        aborter.abort();
        // In TLS 1.3 a client may be done while its server verifies.
        if (kind.side === 'server') void connecting.then(socket => socket.destroy()).catch(() => {});
        plain.destroy();
        await sleep(5);
        answers[0]?.();
        await rejected(
          connecting.then(async socket => {
            socket.resume();
            if (!socket.closed) await once(socket, 'close');
            throw Object.assign(new Error('it was over'), { code: 'OVER' });
          }),
          /^(E|OVER|ABORT_ERR)/,
        );
        await until(() => kind.side === 'client' || errors.length >= 1, 'the server to hear of it');
      });

      it(`${version}: closes its connection inside`, async () => {
        for (const later of [false, true]) {
          const close = (...given: unknown[]) => {
            const act = () => {
              sslOf(given).close();
              return kind.right();
            };
            return later ? sleep(2).then(act) : act();
          };
          const made = await attempt(kind, close as AnyFunction, more);
          // A server hears nothing of what its user has closed.
          if (kind.side === 'client') assert.equal((await made.owner()).code, codes.closed);
          await made.other();
        }
      });

      it(`${version}: destroys everything inside`, async () => {
        const made: Attempt = await attempt(
          kind,
          (async () => {
            await sleep(1);
            made.running.server.closeAllConnections();
            return kind.right();
          }) as AnyFunction,
          more,
        );
        await made.client();
      });

      it(`${version}: operations that begin inside wait for it, and changes are refused`, async () => {
        const operations: Promise<unknown>[] = [];
        const refused: unknown[] = [];
        const made = await attempt(
          kind,
          ((...given: unknown[]) => {
            const ssl = sslOf(given);
            operations.push(ssl.write('inside'));
            if (version === 'TLSv1.3') operations.push(ssl.keyUpdate());
            operations.push(ssl.handshake());
            for (const change of [() => ssl.setVerify({ verifyMode: 'PEER' }), () => ssl.setShutdown({ sent: true })]) {
              try {
                change();
                refused.push('not refused');
              } catch (error) {
                refused.push((error as OpenSslError).code);
              }
            }
            return sleep(3).then(kind.right);
          }) as AnyFunction,
          more,
        );
        const [client, server] = await Promise.all([made.connecting, made.running.next()]);
        const peer = kind.side === 'server' ? client : server;
        assert.equal(String((await within(once(peer, 'data'), 'what was written inside'))[0]), 'inside');
        await within(Promise.all(operations), 'the operations');
        assert.deepEqual(refused, ['ERR_TLS_CALLBACK_PENDING', 'ERR_TLS_CALLBACK_PENDING']);
      });

      it(`${version}: whatever a connection tells can be asked inside`, async () => {
        let told = 0;
        const made = await attempt(
          kind,
          ((...given: unknown[]) => {
            const ssl = sslOf(given);
            for (let level: object = Ssl.prototype; level !== Object.prototype; level = Object.getPrototypeOf(level)) {
              for (const [name, { get }] of Object.entries(Object.getOwnPropertyDescriptors(level))) {
                if (get === undefined || name.startsWith('_')) continue;
                Reflect.get(ssl, name);
                told++;
              }
            }
            return kind.right();
          }) as AnyFunction,
          more,
        );
        await Promise.all([made.connecting, made.running.next()]);
        assert.ok(told > 20);
      });

      it(`${version}: many wait at once, and are answered in any order`, async () => {
        const many = 60;
        const { call, answers } = held(kind);
        const { server, client } = kind.options(call);
        const running = await startServer({ ...both, ...server });
        const connecting = Array.from({ length: many }, () => connectTo(running.port, { ...both, ...client }));
        await until(() => answers.length === many, 'that all wait');
        for (const answer of answers.reverse()) answer();
        assert.equal((await Promise.all(connecting)).length, many);
      });
    }

    it('the server closes all its connections while they wait', async () => {
      const { call, answers } = held(kind);
      const { server, client } = kind.options(call);
      const running = await startServer(server);
      const clients = Array.from({ length: 6 }, () => connectTo(running.port, client).catch(() => undefined));
      await until(() => answers.length === 6, 'that all wait');
      running.server.closeAllConnections();
      const ended = Promise.all(clients.map(each => each.then(socket => socket?.destroy())));
      for (const answer of answers) answer();
      await within(ended, 'the end of the clients');
      await within(running.server.close(), 'the server to close');
    });

    it('the pool closes while they wait', async () => {
      const own = new IoPool({ threads: 2 });
      const { call, answers } = held(kind);
      const { server, client } = kind.options(call);
      const io = (side: string) => ({ io: kind.side === side ? own : pool });
      const running = await startServer({ ...server, ...io('server') });
      const failed: unknown[] = [];
      running.server.on('tlsClientError', error => failed.push((error as OpenSslError).code));
      running.server.on('error', () => {});
      const ends: unknown[] = [];
      const clients = Array.from({ length: 6 }, () =>
        connectTo(running.port, { ...client, ...io('client') }).then(
          socket => void socket.destroy(),
          error => void ends.push((error as OpenSslError).code),
        ),
      );
      await until(() => answers.length === 6, 'that all wait');
      await within(own.close(), 'the pool to close');
      await within(Promise.all(clients), 'the end of the clients');
      assert.deepEqual(kind.side === 'server' ? failed : ends, Array(6).fill(codes.closed));
      for (const answer of answers) answer();
      await turns(3);
    });

    it('over a Duplex and over BIOs in memory', async () => {
      for (const [, both] of versions) {
        const { server, client } = kind.options(() => sleep(2).then(kind.right));
        const own = identity(certificates().server);
        const [near, far] = duplexPair();
        const accepting = new Ssl(new SslContext({ ...own, ...both, ...server }), { side: 'server' });
        const { Bio } = await import('system-tls');
        const bio = Bio.duplex(far);
        accepting.setBio(bio, bio);
        const [socket] = await within(
          Promise.all([
            connect({ socket: near, servername: 'localhost', ca: certificates().ca.cert, ...both, ...client }),
            accepting.accept(),
          ]),
          'the handshake',
        );
        socket.destroy();
        accepting.close();
        const pair = await connectedPair({ both, server, client, transport: 'pair', fragment: 7 });
        await stillCarries(pair);
      }
    });

    it('in memory: closed before the answer, and answered afterwards', async () => {
      for (const [, both] of versions) {
        const { call, answers } = held(kind);
        const { server, client } = kind.options(call);
        const pair = makePair({ both, server, client });
        const own = kind.side === 'server' ? pair.server : pair.client;
        const ends = [pair.client.connect(), pair.server.accept()];
        for (const end of ends) end.catch(() => {});
        pair.flow();
        await until(() => answers.length === 1, 'the question');
        own.close();
        await rejected(own === pair.server ? (ends[1] as Promise<void>) : (ends[0] as Promise<void>), codes.closed);
        answers[0]?.();
        await turns(3);
      }
    });
  });
}

describe('a handshake that asks everything', () => {
  for (const [version, both] of versions) {
    it(`${version}: one after the other, each once, in the order of the handshake`, async () => {
      const order: string[] = [];
      const asked = <Answer>(what: string, answer: Answer) => {
        order.push(what);
        return sleep(1, answer);
      };
      const running = await startServer({
        ...{ ...both, requestCert: true },
        serverNames: { 'a.example': identity(certificates().serverRsa) },
        onClientHello: () => asked('hello', { ecdhCurve: 'P-384:P-256' }),
        onServerName: () => asked('name', null),
        onALPN: () => asked('protocol', 'a'),
        onCertificate: () => asked('certificate', identity(certificates().serverRsa)),
        onStatusRequest: () => asked('status request', formOfResponse()),
        verify: () => asked('verify client', true),
      });
      const client = await connectTo(running.port, {
        ...{ ...both, ecdhCurve: 'X25519:P-384:P-256', ALPNProtocols: ['a'] },
        verify: () => asked('verify server', true),
        onStatus: () => asked('status', true),
        onCertificate: () => asked('certificate of client', identity(certificates().stranger)),
      });
      const server = await running.next();
      await carries(client, server);
      const servers = ['hello', 'name', 'protocol', 'certificate', 'status request'];
      assert.deepEqual(order.slice(0, 5), servers);
      assert.equal(order.at(-1), 'verify client');
      const onClient = ['certificate of client', 'status', 'verify server'];
      assert.deepEqual(order.slice(5, -1).sort(), onClient);
      assert.equal(server.ssl.peerCertificate?.subject, 'CN=stranger');
      assert.deepEqual(client.ssl.ocspResponse, formOfResponse());
      assert.equal(client.ssl.peerCertificate?.publicKey.asymmetricKeyType, 'rsa');
      assert.match(client.ssl.group ?? '', /384|256/);
    });
  }

  it('asks it all again in a renegotiation, by either side', async () => {
    const order: string[] = [];
    const asked = <Answer>(what: string, answer: Answer) => {
      order.push(what);
      return sleep(1, answer);
    };
    const secureOptions = constants.SSL_OP_NO_SESSION_RESUMPTION_ON_RENEGOTIATION;
    const running = await startServer({
      ...{ ...tls12, clientRenegotiation: { limit: 10, window: 1000 }, secureOptions, requestCert: true },
      onClientHello: () => asked('hello', null),
      onALPN: () => asked('protocol', 'a'),
      onCertificate: () => asked('certificate', identity(certificates().serverRsa)),
      onStatusRequest: () => asked('status request', formOfResponse()),
      verify: () => asked('verify client', true),
    });
    const client = await connectTo(running.port, {
      ...{ ...tls12, ALPNProtocols: ['a'] },
      verify: () => asked('verify server', true),
      onStatus: () => asked('status', true),
      onCertificate: () => asked('certificate of client', identity(certificates().stranger)),
    });
    const server = await running.next();
    const first = order.splice(0).filter(what => what !== 'protocol');
    assert.equal(first.length, 7);
    for (const side of [client, server, client]) {
      client.write('from the client');
      server.write('from the server');
      await within(Promise.all([once(client, 'data'), once(server, 'data'), side.renegotiate()]), 'the renegotiation');
      assert.deepEqual(order.splice(0).sort(), [...first].sort());
    }
  });

  it('asks both sides in post-handshake authentication', async () => {
    const running = await startServer({
      ...{ ...tls13, ca: certificates().ca.cert },
      verify: ({ chain }) => sleep(2, chain[0]?.subject === 'CN=stranger'),
    });
    const client = await connectTo(running.port, {
      ...tls13,
      onCertificate: () => sleep(2, identity(certificates().stranger)),
      onStatus: () => sleep(2, true),
    });
    const server = await running.next();
    for (let round = 0; round < 3; round++) {
      client.write('from the client');
      server.write('from the server');
      const data = [once(client, 'data'), once(server, 'data')];
      await within(Promise.all([...data, server.requestClientCertificate()]), 'the certificate');
      assert.equal(server.ssl.peerCertificate?.subject, 'CN=stranger');
    }
  });

  it('moves to the loop behind the handshake', async () => {
    const own = new IoPool({ threads: 1 });
    for (const kind of callbackKinds.filter(({ side }) => side === 'server')) {
      const { server, client } = kind.options(() => sleep(2).then(kind.right));
      const running = await startServer({ ...tls13, ...server, io: own, data: 'loop' });
      const ends = await Promise.all([connectTo(running.port, client), running.next()]);
      await carries(...ends);
      for (const end of ends) end.destroy();
      await within(running.server.close(), 'the server to close');
    }
    await own.close();
  });

  it('of a context is asked for by each connection of it', async () => {
    let asked = 0;
    const { cert, key } = certificates().server;
    const secureContext = new SslContext({
      ...{ cert, key },
      onClientHello: () => void asked++,
      onCertificate: () => void asked++,
    });
    const running = await startServer({ secureContext });
    for (let round = 0; round < 3; round++) await connectTo(running.port);
    assert.equal(asked, 6);
    const others = await startServer({ secureContext, onClientHello: null });
    await connectTo(others.port);
    assert.equal(asked, 7);
  });
});
