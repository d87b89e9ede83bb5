// Two server processes, one Redis, and clients that come back to the other one.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { connect, type SslSession } from 'system-tls';
import { hasProgram, needsProgram } from '../../support/capabilities.ts';
import { certificates } from '../../support/certificates.ts';
import { Child } from '../../support/child.ts';
import { compileExamples, example, succeeds } from '../../support/examples.ts';
import { opensslClient } from '../../support/peers.ts';
import { freePort } from '../../support/ports.ts';
import { patience } from '../../support/wait.ts';

interface Visit {
  readonly pid: string;
  readonly how: string;
  readonly session: SslSession | null;
}

/** One connection, and the session that it leaves. */
async function visit(port: string, maxVersion: 'TLSv1.2' | 'TLSv1.3', session?: SslSession | null): Promise<Visit> {
  const socket = await connect({
    host: '127.0.0.1',
    port: Number(port),
    servername: 'localhost',
    ca: certificates().ca.cert,
    maxVersion,
    session: session ?? undefined,
  });
  let said = '';
  let left: SslSession | null = null;
  socket.on('data', (data: Buffer) => {
    said += data;
    // With TLS 1.3 it comes with the data.
    left = socket.ssl.session;
  });
  await once(socket, 'end');
  const [pid = '', version, how = ''] = said.trim().split(' ');
  assert.equal(version, maxVersion);
  return { pid, how, session: left };
}

describe('the example redis-sessions', () => {
  let folder: string;
  let redis: Child;
  let redisPort: string;

  const startRedis = async (): Promise<Child> => {
    const child = new Child('redis-server', [
      '--port',
      redisPort,
      '--bind',
      '127.0.0.1',
      '--dir',
      folder,
      '--save',
      '',
    ]);
    await child.printed(/Ready to accept connections/);
    return child;
  };

  const startServer = async (): Promise<{ server: Child; port: string }> => {
    const { certFile, keyFile } = certificates().server;
    const server = example('redis-sessions', [certFile, keyFile, redisPort]);
    const [, port = ''] = await server.printed(/^listening on (\d+)$/m);
    return { server, port };
  };

  before(compileExamples);

  beforeEach(async function () {
    needsProgram(this, 'redis-server');
    folder = mkdtempSync(path.join(tmpdir(), 'system-tls-redis-'));
    redisPort = String(await freePort());
    redis = await startRedis();
  });

  afterEach(async () => {
    if (!hasProgram('redis-server')) return;
    redis.signal('SIGTERM');
    await redis.exited;
    rmSync(folder, { recursive: true, force: true });
  });

  for (const version of ['TLSv1.2', 'TLSv1.3'] as const) {
    it(`${version}: a client resumes on the other server, and on the first one again`, async () => {
      const [first, second] = [await startServer(), await startServer()];
      const made = await visit(first.port, version);
      assert.equal(made.how, 'full');
      const resumed = await visit(second.port, version, made.session);
      assert.equal(resumed.how, 'resumed');
      assert.notEqual(resumed.pid, made.pid);
      assert.equal((await visit(first.port, version, resumed.session)).how, 'resumed');
      for (const { server } of [first, second]) server.signal('SIGTERM');
      await Promise.all([succeeds(first.server), succeeds(second.server)]);
    });

    it(`${version}: while Redis is away handshakes are full, with one warning, and afterwards it goes on`, async () => {
      const { server, port } = await startServer();
      const made = await visit(port, version);
      redis.signal('SIGKILL');
      await redis.exited;
      const without = await visit(port, version, made.session);
      assert.equal(without.how, 'full');
      assert.equal((await visit(port, version, without.session)).how, 'full');
      await server.printed(/SYSTEM_TLS_SESSION_STORE/);
      redis = await startRedis();
      let how = 'full';
      const end = performance.now() + patience;
      while (how === 'full' && performance.now() < end) {
        const again = await visit(port, version);
        how = (await visit(port, version, again.session)).how;
      }
      assert.equal(how, 'resumed');
      server.signal('SIGTERM');
      const output = await succeeds(server);
      assert.equal(output.match(/onResumeSession failed/g)?.length, 1, output);
      assert.ok((output.match(/onNewSession failed/g)?.length ?? 0) <= 1, output);
    });
  }

  it('openssl s_client resumes on the other server', async function () {
    needsProgram(this, 'openssl');
    const [first, second] = [await startServer(), await startServer()];
    const file = path.join(folder, 'session');
    for (const [{ port }, option, how] of [
      [first, '-sess_out', 'full'],
      [second, '-sess_in', 'resumed'],
    ] as const) {
      const client = opensslClient(Number(port), ['-ign_eof', option, file]);
      const { output } = await client.exited.then(() => client);
      assert.match(output, new RegExp(`\\d+ TLSv1\\.3 ${how}`));
    }
    for (const { server } of [first, second]) server.signal('SIGTERM');
    await Promise.all([succeeds(first.server), succeeds(second.server)]);
  });
});
