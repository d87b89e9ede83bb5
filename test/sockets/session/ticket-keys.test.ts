// Ticket keys of servers that run.
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import type { SslSession } from 'system-tls';
import { certificates } from '../../support/certificates.ts';
import { serverContext, versions } from '../../support/memory-pair.ts';
import { isOfKey } from '../../support/resumption.ts';
import { connectTo, startServer } from '../../support/sockets.ts';
import { turn } from '../../support/wait.ts';

const echo = (options: Parameters<typeof startServer>[0]) =>
  startServer(options, socket => {
    socket.on('data', data => socket.write(data));
  });

/** Connects, and waits for the server's data, ahead of which the tickets come. */
async function visit(
  port: number,
  options: Parameters<typeof connectTo>[1] = {},
): Promise<{ readonly reused: boolean; readonly next: SslSession }> {
  let next: SslSession | undefined;
  const session = (arrived: SslSession) => {
    next = arrived;
  };
  const socket = await connectTo(port, { ...options, on: { session } });
  const reused = socket.ssl.sessionReused;
  socket.write('x');
  await once(socket, 'data');
  next ??= socket.ssl.session ?? undefined;
  assert.ok(next, 'a session');
  const closed = once(socket, 'close');
  socket.end();
  socket.resume();
  await closed;
  return { reused, next };
}

describe('ticket keys of a server', () => {
  for (const [version, both] of versions) {
    describe(version, () => {
      it('that are set while it runs stay over setSecureContext()', async () => {
        const secureContext = serverContext(both);
        const { server, port } = await echo({ secureContext });
        secureContext.ticketKeys = randomBytes(80);
        const { next: session } = await visit(port, both);
        const { cert, key } = certificates().server;
        server.setSecureContext({ ...both, cert, key });
        assert.equal((await visit(port, { ...both, session })).reused, true);
        // The context of before is nobody's now.
        secureContext.ticketKeys = randomBytes(80);
        assert.equal((await visit(port, { ...both, session })).reused, true);
        server.setSecureContext({ ...both, cert, key, ticketKeys: randomBytes(48) });
        assert.equal((await visit(port, { ...both, session })).reused, false);
      });

      it('are those of the context that connections begin with, under every name', async () => {
        const secureContext = serverContext(both);
        const named = serverContext(both);
        const { port } = await echo({ secureContext, serverNames: { localhost: named } });
        const { next: session } = await visit(port, both);
        assert.ok(isOfKey(session, secureContext.ticketKeys));
        named.ticketKeys = randomBytes(80);
        assert.equal((await visit(port, { ...both, session })).reused, true);
        secureContext.ticketKeys = randomBytes(80);
        assert.equal((await visit(port, { ...both, session })).reused, false);
      });

      it('that change all the time spoil no ticket', async () => {
        const secureContext = serverContext(both);
        const { port } = await echo({ secureContext });
        const keys = [randomBytes(80), randomBytes(80)] as const;
        const tickets: SslSession[] = [];
        let done = false;
        const change = async () => {
          while (!done) {
            for (const each of keys) secureContext.ticketKeys = each;
            await turn();
          }
        };
        const visits = async () => {
          for (let count = 0; count < 12; count++) tickets.push((await visit(port, both)).next);
        };
        const changing = change();
        await Promise.all(Array.from({ length: 6 }, visits)).finally(() => {
          done = true;
        });
        await changing;
        const lost: string[] = [];
        for (const each of keys) {
          secureContext.ticketKeys = each;
          for (const session of tickets.filter(ticket => isOfKey(ticket, each))) {
            if (!(await visit(port, { ...both, session })).reused) lost.push(session.id.toString('hex'));
          }
        }
        assert.equal(tickets.filter(ticket => keys.some(each => isOfKey(ticket, each))).length, 72);
        assert.deepEqual(lost, []);
      });
    });
  }
});
