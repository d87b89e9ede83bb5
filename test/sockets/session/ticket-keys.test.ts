// Ticket keys of servers that run.
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { type SslSession, TicketKeyRing } from 'system-tls';
import { needsProgram } from '../../support/capabilities.ts';
import { certificates } from '../../support/certificates.ts';
import { nodeScript } from '../../support/child.ts';
import { serverContext, versions } from '../../support/memory-pair.ts';
import { opensslClient } from '../../support/peers.ts';
import { fixedKeys, isOfKey, periodNow } from '../../support/resumption.ts';
import { connectTo } from '../../support/sockets.ts';
import { echoServer, visit } from '../../support/visits.ts';
import { turn } from '../../support/wait.ts';

describe('ticket keys of a server', () => {
  for (const [version, both] of versions) {
    describe(version, () => {
      it('that are set while it runs stay over setSecureContext()', async () => {
        const secureContext = serverContext(both);
        const { server, port } = await echoServer({ secureContext });
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
        const { port } = await echoServer({ secureContext, serverNames: { localhost: named } });
        const { next: session } = await visit(port, both);
        assert.ok(isOfKey(session, fixedKeys(secureContext)));
        named.ticketKeys = randomBytes(80);
        assert.equal((await visit(port, { ...both, session })).reused, true);
        secureContext.ticketKeys = randomBytes(80);
        assert.equal((await visit(port, { ...both, session })).reused, false);
      });

      it('that change all the time spoil no ticket', async () => {
        const secureContext = serverContext(both);
        const { port } = await echoServer({ secureContext });
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

/** A server in a process or a thread of its own, which stands for a machine. */
const machine = `
import { readFileSync } from 'node:fs';
import { createServer, IoPool, TicketKeyRing } from 'system-tls';
const [secret, certFile, keyFile] = process.argv.slice(1);
const io = process.env.SYSTEM_TLS_TEST_IO === 'threads' ? new IoPool({ threads: 2 }) : undefined;
const ticketKeys = new TicketKeyRing({ secret: Buffer.from(secret, 'hex') });
const server = createServer({ certFile, keyFile, ticketKeys, io }, socket => socket.on('error', () => {}).pipe(socket));
await server.listen({ port: 0, host: '127.0.0.1' });
console.log('port', server.address().port);
`;

describe('a ring of ticket keys on servers', () => {
  const ringOf = (secret: Uint8Array, period = 3600) => new TicketKeyRing({ secret, period, overlap: 255 });

  for (const [version, both] of versions) {
    it(`stays over setSecureContext(), the object itself, ${version}`, async () => {
      const ring = ringOf(randomBytes(32));
      const running = await echoServer({ ...both, ticketKeys: ring });
      const { server, port } = running;
      const { next: session } = await visit(port, both);
      assert.equal((await running.next()).ssl.context.ticketKeys, ring);
      const { cert, key } = certificates().server;
      server.setSecureContext({ ...both, cert, key });
      assert.equal((await visit(port, { ...both, session })).reused, true);
      const socket = await connectTo(port, both);
      await running.next();
      assert.equal((await running.next()).ssl.context.ticketKeys, ring);
      socket.destroy();
      server.setSecureContext({ ...both, cert, key, ticketKeys: ringOf(randomBytes(32)) });
      assert.equal((await visit(port, { ...both, session })).reused, false);
    });

    it(`loses no session while its periods pass and rings of its secret take turns, ${version}`, async () => {
      const secret = randomBytes(32);
      const rings = [ringOf(secret, 1), ringOf(secret, 1)] as const;
      const secureContext = serverContext({ ...both, ticketKeys: rings[0] });
      const { port } = await echoServer({ secureContext });
      const end = periodNow(1) + 2;
      const change = async () => {
        while (periodNow(1) < end) {
          for (const ring of rings) secureContext.ticketKeys = ring;
          await turn();
        }
      };
      const visits = async () => {
        let { next: session } = await visit(port, both);
        let count = 0;
        for (; periodNow(1) < end; count++) {
          const { reused, next } = await visit(port, { ...both, session });
          assert.equal(reused, true, `visit ${count}`);
          session = next;
        }
        assert.ok(count > 0);
        assert.equal((await visit(port, { ...both, session })).reused, true);
      };
      await Promise.all([change(), ...Array.from({ length: 4 }, visits)]);
    });
  }

  it('a worker thread with the same secret resumes sessions of the main thread, and gives it some', async () => {
    const secret = randomBytes(32);
    const { cert, key, ca } = { ...certificates().server, ca: certificates().ca.cert };
    const { port } = await echoServer({ ticketKeys: new TicketKeyRing({ secret }) });
    const worker = new Worker(new URL('../../support/worker.js', import.meta.url), {
      workerData: { cert, key, ca, mode: 'busy-server', ticketSecret: secret },
    });
    try {
      const [told] = (await once(worker, 'message')) as [string];
      const { next: session } = await visit(port);
      const there = await visit(Number(told), { session });
      assert.equal(there.reused, true);
      assert.equal((await visit(port, { session: there.next })).reused, true);
    } finally {
      await worker.terminate();
    }
  });

  for (const flag of ['-tls1_2', '-tls1_3']) {
    it(`openssl s_client takes its session from one server process to another, ${flag}`, async function () {
      needsProgram(this, 'openssl');
      const { certFile, keyFile } = certificates().server;
      const start = (secret: Buffer) => nodeScript(machine, { args: [secret.toString('hex'), certFile, keyFile] });
      const [secret, other] = [randomBytes(32), randomBytes(32)];
      const machines = await Promise.all([secret, secret, other].map(each => start(each).printed(/^port (\d+)$/m)));
      const [one, two, stranger] = machines.map(([, port]) => Number(port));
      assert.ok(one && two && stranger);
      const file = join(certificates().folder, `fleet${flag}.pem`);
      /** What it says of the session; it keeps the newest that it gets. */
      const says = async (port: number, args: readonly string[]): Promise<string | undefined> => {
        const peer = opensslClient(port, [...args, flag]);
        // The echo comes behind the tickets.
        await peer.printed(/---\s+(New|Reused)/);
        peer.write('hello\n');
        await peer.printed(/^hello$/m);
        peer.endInput();
        await peer.exited;
        return /^(New|Reused), /m.exec(peer.output)?.[1];
      };
      assert.equal(await says(one, ['-sess_out', file]), 'New');
      assert.equal(await says(two, ['-sess_in', file, '-sess_out', file]), 'Reused');
      assert.equal(await says(one, ['-sess_in', file]), 'Reused');
      assert.equal(await says(stranger, ['-sess_in', file]), 'New');
    });
  }
});
