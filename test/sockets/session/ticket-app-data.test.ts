// Bytes of a server's application in its sessions: ssl.setTicketAppData() and session.ticketAppData.
import assert from 'node:assert/strict';
import { randomBytes, X509Certificate } from 'node:crypto';
import type { ServerOptions, SslSession } from 'system-tls';
import { certificates } from '../../support/certificates.ts';
import { codes } from '../../support/codes.ts';
import { thrown } from '../../support/errors.ts';
import { noTicket, tls13, versions } from '../../support/memory-pair.ts';
import { connectTo, socketPair, startServer } from '../../support/sockets.ts';
import { visit } from '../../support/visits.ts';
import { turn } from '../../support/wait.ts';

/** An echo that gives the sessions of each connection what `data` has at that time, and notes what its own one has. */
async function serve(options: ServerOptions, data: () => Uint8Array | null | undefined = () => undefined) {
  const seen: (Buffer | null | undefined)[] = [];
  const onClientHello: ServerOptions['onClientHello'] = (_hello, { ssl }) => {
    const given = data();
    if (given !== undefined) ssl.setTicketAppData(given);
    return null;
  };
  const { port } = await startServer({ ...options, onClientHello }, socket => {
    seen.push(socket.ssl.session?.ticketAppData);
    socket.on('data', chunk => socket.write(chunk));
  });
  return { port, seen };
}

describe('ticketAppData', () => {
  for (const [version, both] of versions) {
    describe(version, () => {
      it('comes back with the ticket, on another server that has the keys', async () => {
        const ticketKeys = randomBytes(80);
        const data = Buffer.from('user 4711\0\xff', 'latin1');
        const one = await serve({ ...both, ticketKeys }, () => data);
        const { next: session } = await visit(one.port, both);
        assert.equal(session.ticketAppData, null, 'the client sees nothing of it');
        assert.equal(session.serialize().includes('user 4711'), false);
        const other = await serve({ ...both, ticketKeys });
        assert.equal((await visit(other.port, { ...both, session })).reused, true);
        assert.deepEqual(other.seen, [data]);
      });

      it('is none without a call, and empty when it is empty', async () => {
        let data: Uint8Array | undefined;
        const running = await serve(both, () => data);
        for (const expected of [null, Buffer.alloc(0)]) {
          data = expected ?? undefined;
          const { next: session } = await visit(running.port, both);
          assert.equal((await visit(running.port, { ...both, session })).reused, true);
          assert.deepEqual(running.seen.at(-1), expected);
        }
      });

      it('is in sessions that the server keeps itself, too', async () => {
        const data = Buffer.from('kept');
        const running = await serve({ ...both, ...noTicket }, () => data);
        const { next: session } = await visit(running.port, both);
        assert.equal((await visit(running.port, { ...both, session })).reused, true);
        assert.deepEqual(running.seen.at(-1), data);
      });

      it('has up to 16384 bytes, beside a client certificate and under a name of its own', async () => {
        const data = randomBytes(16_384);
        const { ca, client, server } = certificates();
        const asks = { ca: ca.cert, requestCert: true };
        const named = { ...both, cert: server.cert, key: server.key, ...asks };
        const options = { ...both, ...asks, serverNames: { localhost: named } } as ServerOptions;
        const running = await serve(options, () => data);
        const identity = { ...both, cert: client.cert, key: client.key };
        const { next: session } = await visit(running.port, identity);
        assert.equal((await visit(running.port, { ...identity, session })).reused, true);
        assert.deepEqual(running.seen.at(-1), data);
      });
    });
  }

  for (const [version, both] of versions) {
    it(`${version}: can be what a verification by function found, which a resumed connection does not run`, async () => {
      const { ca, client } = certificates();
      const seen: (string | undefined)[] = [];
      const options: ServerOptions = {
        ...both,
        ca: ca.cert,
        requestCert: true,
        verify: async ({ ssl, chain }) => {
          await turn();
          ssl.setTicketAppData(Buffer.from(chain[0]?.subject ?? ''));
          return true;
        },
      };
      const { port } = await startServer(options, socket => {
        seen.push(socket.ssl.session?.ticketAppData?.toString());
        socket.on('data', chunk => socket.write(chunk));
      });
      const identity = { ...both, cert: client.cert, key: client.key };
      const { next: session } = await visit(port, identity);
      assert.equal((await visit(port, { ...identity, session })).reused, true);
      const { subject } = new X509Certificate(client.cert);
      assert.equal(seen[1], subject);
    });
  }

  it('TLS 1.3: goes on from session to session, until it is replaced or taken away', async () => {
    let data: Uint8Array | null | undefined = Buffer.from('first');
    const running = await serve(tls13, () => data);
    let session: SslSession = (await visit(running.port, tls13)).next;
    for (data of [undefined, undefined, Buffer.from('second'), undefined, null, undefined]) {
      const visited = await visit(running.port, { ...tls13, session });
      assert.equal(visited.reused, true);
      session = visited.next;
    }
    // The first one is the full handshake. A connection's own session has what its tickets have.
    const seen = running.seen.map(each => each?.toString() ?? null);
    assert.deepEqual(seen, ['first', 'first', 'first', 'second', 'second', null, null]);
  });

  it('never passes for a pre-shared key', async () => {
    const data = Buffer.from('system-tls psk:admin');
    const psk = [{ identity: 'admin', key: randomBytes(32) }];
    const running = await serve({ ...tls13, psk }, () => data);
    const { next: session } = await visit(running.port, tls13);
    assert.equal((await visit(running.port, { ...tls13, session })).reused, true);
    assert.deepEqual(running.seen, [data, data]);
  });

  it('leaves a connection by a pre-shared key its identity', async () => {
    const psk = { identity: 'one', key: randomBytes(32) };
    const running = await startServer({
      ...tls13,
      psk,
      onClientHello: (_hello, { ssl }) => {
        ssl.setTicketAppData(Buffer.from('mine'));
        return null;
      },
    });
    await connectTo(running.port, { ...tls13, psk });
    const { ssl } = await running.next();
    assert.equal(ssl.pskIdentity, 'one');
    assert.equal(ssl.session, null);
  });

  it('is refused on a client, and for what is no bytes or too many', async () => {
    const { client, server } = await socketPair();
    thrown(() => client.ssl.setTicketAppData(Buffer.from('x')), codes.wrongSide);
    thrown(() => server.ssl.setTicketAppData(7 as never), codes.wrongType);
    thrown(() => server.ssl.setTicketAppData(undefined as never), codes.wrongType);
    thrown(() => server.ssl.setTicketAppData(Buffer.alloc(16_385)), codes.outOfRange);
    const { ssl } = server;
    server.destroy();
    thrown(() => ssl.setTicketAppData(null), codes.closed);
  });
});
