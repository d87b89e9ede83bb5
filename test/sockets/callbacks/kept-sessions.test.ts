// Sessions that the application keeps for several servers, and a store that fails in every way.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type OnResumeSession, type ServerOptions, SslContext, type SslSession, type TlsSocket } from 'system-tls';
import { issue } from '../../support/certificates.ts';
import { versions } from '../../support/memory-pair.ts';
import { connectTo, type Running, startServer } from '../../support/sockets.ts';
import { deferred, sleep, until, within } from '../../support/wait.ts';

class Store {
  readonly sessions = new Map<string, Buffer>();
  readonly asked: string[] = [];
  readonly removed: string[] = [];

  options(onResumeSession?: OnResumeSession): ServerOptions {
    return {
      onNewSession: (id, session) => void this.sessions.set(id.toString('hex'), session),
      onResumeSession: (id, request) => {
        this.asked.push(id.toString('hex'));
        return onResumeSession === undefined ? this.sessions.get(id.toString('hex')) : onResumeSession(id, request);
      },
      onRemoveSession: id => {
        this.removed.push(id.toString('hex'));
        this.sessions.delete(id.toString('hex'));
      },
    };
  }
}

interface Visit {
  readonly resumed: boolean;
  readonly session: SslSession;
  readonly client: TlsSocket;
  readonly server: TlsSocket;
}

async function visit(running: Running, session?: SslSession, servername = 'localhost'): Promise<Visit> {
  const arrival = running.next();
  const client = await connectTo(running.port, { session, servername, rejectUnauthorized: false });
  const server = await arrival;
  server.write('x');
  await within(once(client, 'data'), 'a byte');
  return { resumed: client.ssl.sessionReused, session: client.ssl.session as SslSession, client, server };
}

const ended = (socket: TlsSocket) => within(new Promise(resolve => socket.once('close', resolve)), 'the end');

/** What process.emitWarning() is told of meanwhile. */
async function warnings(action: () => Promise<void>): Promise<string[]> {
  const heard: string[] = [];
  const listener = (warning: Error & { readonly code?: string }) => {
    if (warning.code === 'SYSTEM_TLS_SESSION_STORE') heard.push(warning.message);
  };
  process.on('warning', listener);
  try {
    await action();
    await sleep(0);
  } finally {
    process.off('warning', listener);
  }
  return heard;
}

describe('sessions that the application keeps', () => {
  for (const [version, both] of versions) {
    it(`${version}: a client resumes on another server, asked at once or later`, async () => {
      const store = new Store();
      const first = await startServer({ ...both, ...store.options() });
      const second = await startServer({
        ...both,
        ...store.options(async id => {
          await sleep(5);
          return store.sessions.get(id.toString('hex'));
        }),
      });
      const made = await visit(first);
      assert.equal(made.resumed, false);
      assert.ok(store.sessions.size > 0);
      const again = await visit(second, made.session);
      assert.equal(again.resumed, true);
      assert.equal(again.server.ssl.sessionReused, true);
      assert.equal((await visit(first, again.session)).resumed, true);
    });

    it(`${version}: nobody is asked about a client that offers none`, async () => {
      const store = new Store();
      const running = await startServer({ ...both, ...store.options() });
      const made = await visit(running);
      // OpenSSL's client up to TLS 1.2 offers an id of its own beside a version that has to be compatible.
      if (version === 'TLSv1.3') assert.deepEqual(store.asked, []);
      assert.equal(made.resumed, false);
    });

    it(`${version}: one that is not kept any more is a full handshake`, async () => {
      const store = new Store();
      const running = await startServer({ ...both, ...store.options() });
      const made = await visit(running);
      store.sessions.clear();
      const heard = await warnings(async () => {
        assert.equal((await visit(running, made.session)).resumed, false);
      });
      assert.deepEqual(heard, []);
      assert.ok(store.asked.length >= 1);
    });

    it(`${version}: OpenSSL keeps none itself, and makes no ticket`, async () => {
      const store = new Store();
      const running = await startServer({ ...both, ...store.options(() => null) });
      const made = await visit(running);
      assert.equal((await visit(running, made.session)).resumed, false);
      // A ticket would open without any store.
      const plain = new Store();
      const other = await startServer({ ...both, ...plain.options() });
      const { session } = await visit(other);
      plain.sessions.clear();
      assert.equal((await visit(other, session)).resumed, false);
    });

    const failures: ReadonlyArray<readonly [string, (store: Store) => OnResumeSession, RegExp]> = [
      [
        'throws',
        () => () => {
          throw new Error('the store is gone');
        },
        /failed \(the store is gone\)/,
      ],
      ['rejects', () => () => Promise.reject(new Error('the store is gone')), /failed \(the store is gone\)/],
      ['holds rubbish', () => async () => Buffer.from('rubbish'), /no session/],
      ['gives what are no bytes', () => (() => 'text') as unknown as OnResumeSession, /no bytes/],
      ['gives another one', store => () => [...store.sessions.values()].at(-1), /another id/],
      ['never answers', () => () => new Promise<never>(() => {}), /1000 ms/],
    ];
    for (const [name, make, message] of failures) {
      it(`${version}: a store that ${name} costs full handshakes, and one warning`, async () => {
        const store = new Store();
        const running = await startServer({ ...both, ...store.options() });
        const made = await visit(running);
        // Of another client: the last one in the store.
        await visit(running);
        const failing = await startServer({ ...both, ...new Store().options(), onResumeSession: make(store) });
        const heard = await warnings(async () => {
          assert.equal((await visit(failing, made.session)).resumed, false);
          assert.equal((await visit(failing, made.session)).resumed, false);
        });
        assert.equal(heard.length, 1, heard.join('\n'));
        assert.match(heard[0] ?? '', message);
      });
    }

    it(`${version}: a function that hears of sessions and fails harms no connection`, async () => {
      const store = new Store();
      const onNewSession = () => Promise.reject(new Error('full'));
      const running = await startServer({ ...both, ...store.options(), onNewSession });
      const heard = await warnings(async () => {
        await visit(running);
        await visit(running);
      });
      assert.equal(heard.length, 1);
      assert.match(heard[0] ?? '', /onNewSession failed \(full\)/);
    });

    it(`${version}: an answer that comes after the client has gone is nobody's`, async () => {
      const store = new Store();
      const running = await startServer({ ...both, ...store.options() });
      const made = await visit(running);
      const answer = deferred<Buffer | null>();
      const asked = deferred<void>();
      const slow = await startServer({
        ...both,
        onResumeSession: () => {
          asked.resolve();
          return answer.promise;
        },
      });
      const left = once(slow.server, 'tlsClientError');
      const abort = new AbortController();
      const connecting = connectTo(slow.port, {
        session: made.session,
        rejectUnauthorized: false,
        signal: abort.signal,
      });
      await within(asked.promise, 'the question');
      abort.abort();
      await assert.rejects(connecting);
      await within(left, 'the server to hear of it');
      answer.resolve([...store.sessions.values()][0] ?? null);
      await sleep(5);
      assert.equal((await visit(running, made.session)).resumed, true);
    });

    it(`${version}: a session of one policy is not resumed under another, though both have one store`, async () => {
      const store = new Store();
      const open = await startServer({ ...both, ...store.options() });
      const strict = await startServer({ ...both, ...store.options(), requestCert: true, rejectUnauthorized: false });
      const made = await visit(open);
      assert.equal((await visit(strict, made.session)).resumed, false);
      assert.equal((await visit(open, made.session)).resumed, true);
    });

    it(`${version}: under a name they are resumed by that name alone`, async () => {
      const store = new Store();
      const { cert, key } = issue('kept-a', { subject: '/CN=a', names: 'DNS:a.example' });
      const running = await startServer({
        ...both,
        ...store.options(),
        serverNames: { 'a.example': new SslContext({ cert, key, ...both }) },
      });
      const made = await visit(running, undefined, 'a.example');
      assert.equal((await visit(running, made.session, 'a.example')).resumed, true);
      const fresh = await visit(running, undefined, 'a.example');
      assert.equal((await visit(running, fresh.session, 'other.example')).resumed, false);
    });
  }

  it('a client that leaves without a word removes nothing, and neither does closing here', async () => {
    const store = new Store();
    const running = await startServer({ ...store.options(), maxVersion: 'TLSv1.3' });
    const silent = await visit(running);
    silent.client.destroy();
    await ended(silent.server);
    const closed = await visit(running);
    closed.server.ssl.close();
    await ended(closed.server);
    assert.deepEqual(store.removed, []);
  });

  it('a fatal alert removes the sessions of its connection, and of no other', async () => {
    const store = new Store();
    const running = await startServer({ ...store.options(), maxVersion: 'TLSv1.2' });
    const other = await visit(running);
    const { client, server, session } = await visit(running);
    // Refused by a warning, which OpenSSL's client takes for the end, and says so.
    client.ssl.renegotiate().catch(() => {});
    await ended(server);
    await until(() => store.removed.length > 0, 'the removal');
    assert.deepEqual(store.removed, [session.id.toString('hex')]);
    assert.equal((await visit(running, other.session)).resumed, true);
  });
});
