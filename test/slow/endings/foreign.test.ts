// How other programs end connections: resets by SO_LINGER, half-closes, processes that are killed. The generated cases
// (endings.test.ts) have node:tls and this package as peers.
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { connect, createServer, IoPool, type TlsSocket } from 'system-tls';
import { Ledger } from '../../endings/ledger.ts';
import { StreamSubject } from '../../endings/subject.ts';
import { needsProgram } from '../../support/capabilities.ts';
import { certificates } from '../../support/certificates.ts';
import { Child, packageFolder } from '../../support/child.ts';
import { until, within } from '../../support/wait.ts';

const fixture = (name: string): string => join(packageFolder, 'test/fixtures', name);
const saysGoodbye = (way: string): boolean => way === 'close' || way === 'close-rst' || way === 'half';
const dataOf = (way: string): string => `${way}:${'x'.repeat(5000)}`;

/** A stream that greets, as an SMTP server does, and listens. */
function held(socket: TlsSocket): Ledger {
  const ledger = new Ledger();
  const subject = new StreamSubject(socket, 'data', ledger);
  subject.startReading();
  subject.write(1000);
  return ledger;
}

async function assertEnded(ledger: Ledger, way: string): Promise<void> {
  await within(ledger.closed, `'close' after ${way}`);
  await within(ledger.settled(), `every operation to settle after ${way}`);
  assert.equal(String(ledger.delivered), dataOf(way));
  if (saysGoodbye(way)) assert.equal(ledger.ending, 'end', way);
  else assert.ok(ledger.ending instanceof Error, `${way}: a truncation is an error`);
  assert.equal(ledger.count('close'), 1);
  for (const { name, settled } of ledger.operations) assert.equal(settled, 1, name);
}

/** A server of ours, and what comes of the connections to it. */
async function serve(
  io: IoPool | undefined,
  visit: (port: number, met: readonly Ledger[]) => Promise<void>,
): Promise<void> {
  const { cert, key } = certificates().server;
  const met: Ledger[] = [];
  const server = createServer({ cert, key, io }, socket => met.push(held(socket)));
  await server.listen({ host: '127.0.0.1', port: 0 });
  await visit((server.address() as { port: number }).port, met);
  await within(server.close(), 'the server to close');
  assert.equal(server.connections, 0);
}

async function assertVisit(io: IoPool | undefined, ways: readonly string[], client: (port: number) => Child) {
  await serve(io, async (port, met) => {
    const peer = client(port);
    const { code } = await within(peer.exited, 'the client to end');
    assert.equal(code, 0, peer.output);
    await until(() => met.length === ways.length, 'every connection');
    await within(Promise.all(met.map(({ closed }) => closed)), "every 'close'");
    // A handshake that is complete on the client's side may be overtaken by the next one on ours.
    for (const way of ways) {
      const ledger = met.find(({ delivered }) => String(delivered).startsWith(`${way}:`));
      const seen = met.map(
        ({ delivered, ending }) => `${String(delivered).slice(0, 12)} (${delivered.length}), ${ending}`,
      );
      assert.ok(ledger, `the data before ${way}; there is ${seen.join('; ')}`);
      await assertEnded(ledger, way);
    }
  });
}

for (const place of ['loop', 'thread'] as const) {
  describe(`foreign peers end their connections to us on the ${place}`, () => {
    let io: IoPool | undefined;

    before(() => {
      if (place === 'thread') io = new IoPool({ threads: 1 });
    });

    after(() => io?.close());

    for (const version of ['TLSv1_2', 'TLSv1_3'] as const) {
      const ways = ['close', 'fin', 'rst', 'close-rst', 'half'];

      it(`python3 as a client, ${version}`, async function () {
        needsProgram(this, 'python3');
        const ca = certificates().ca.certFile;
        await assertVisit(io, ways, port => {
          return new Child('python3', ['-u', fixture('ending.py'), 'client', String(port), version, ca, ...ways]);
        });
      });

      it(`python3 as a server, ${version}`, async function () {
        needsProgram(this, 'python3');
        const { server, ca } = certificates();
        const args = ['server', server.certFile, server.keyFile, version, ...ways];
        const peer = new Child('python3', ['-u', fixture('ending.py'), ...args]);
        const [, port] = await peer.printed(/listening (\d+)/);
        for (const way of ways) {
          const options = { host: '127.0.0.1', port: Number(port), servername: 'localhost', ca: ca.cert, io };
          await assertEnded(held(await within(connect(options), 'the connection')), way);
        }
        assert.equal((await within(peer.exited, 'the server to end')).code, 0, peer.output);
      });
    }

    for (const version of ['TLSv1.2', 'TLSv1.3']) {
      const ways = ['close', 'rst', 'half'];

      it(`Java as a client, ${version}`, async function () {
        needsProgram(this, 'java');
        await assertVisit(
          io,
          ways,
          port => new Child('java', [fixture('Ending.java'), String(port), version, ...ways]),
        );
      });
    }

    for (const [name, end, way] of [
      ['whose input ends', (peer: Child) => peer.endInput(), 'close'],
      ['that is killed', (peer: Child) => peer.signal('SIGKILL'), 'fin'],
    ] as const) {
      it(`openssl s_client ${name}`, async function () {
        needsProgram(this, 'openssl');
        await serve(io, async (port, met) => {
          const args = ['-quiet', '-no_ign_eof', '-connect', `127.0.0.1:${port}`];
          const peer = new Child('openssl', ['s_client', ...args, '-CAfile', certificates().ca.certFile]);
          peer.write(dataOf(way));
          await until(() => met.length === 1, 'the connection');
          const [ledger] = met as [Ledger];
          await within(ledger.reaches(dataOf(way).length), 'the data');
          end(peer);
          await assertEnded(ledger, way);
          await within(peer.exited, 'the client to end');
        });
      });
    }
  });
}
