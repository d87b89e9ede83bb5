// The contestants of the HTTP jobs answer what the load asks, and tell what they have done.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import http from 'node:http';
import https from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { needs, needsProgram } from '../../support/capabilities.ts';
import { Child, packageFolder } from '../../support/child.ts';

interface Snapshot {
  readonly requests: number;
  readonly bytes: number;
  readonly cpuMain: number;
  readonly cpuAll: number;
  readonly cpuFront?: number;
}
interface Measured {
  readonly port: number;
  snapshot(): Promise<Snapshot>;
  end(): Promise<void>;
}
type Peers = Readonly<Record<string, (given: Record<string, string>, processors?: string) => Promise<Measured>>>;
interface Identity {
  readonly cert: string;
  readonly key: string;
}

const load = (file: string): Promise<unknown> => import(pathToFileURL(join(packageFolder, 'bench/harness', file)).href);
const { findPeers } = (await load('contestants.mjs')) as { findPeers(programs: object, scratch: string): Peers };
const { makeCertificates } = (await load('certificates.mjs')) as {
  makeCertificates(folder: string): Readonly<Record<string, Identity>>;
};

const size = 1024;
const upload = Buffer.alloc(1 << 20, 'x');

async function bodyOf(request: http.ClientRequest, body?: Buffer): Promise<Buffer> {
  request.end(body);
  const [response] = (await once(request, 'response')) as [http.IncomingMessage];
  assert.equal(response.statusCode, 200);
  const chunks: Buffer[] = [];
  for await (const chunk of response) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}

const contestants = [
  ['plain', undefined],
  ['node', undefined],
  ['system-tls', undefined],
  ['system-tls-threads', undefined],
  ['system-tls', 'drop-in'],
  ['system-tls-threads', 'drop-in'],
  ['system-tls-threads', 'register'],
  ['nginx-front', undefined],
  ['haproxy-front', undefined],
] as const;

describe('A contestant of the HTTP jobs', () => {
  let folder = '';
  let identity: Identity = { cert: '', key: '' };
  let peers: Peers = {};

  before('make certificates', function () {
    needsProgram(this, 'openssl');
    needs(this, process.platform === 'linux', 'threads whose processor time is told');
    folder = mkdtempSync(join(tmpdir(), 'system-tls-contestants-'));
    identity = makeCertificates(join(folder, 'certificates'))['P-256'] ?? identity;
    peers = findPeers({ node: process.execPath, load: '', floor: '', env: process.env }, folder);
  });
  after(() => {
    if (folder !== '') rmSync(folder, { recursive: true });
  });

  for (const [peer, api] of contestants) {
    it(`answers, and counts, as ${peer} ${api ?? ''}`, async function () {
      if (peer.endsWith('-front')) needsProgram(this, peer.replace('-front', ''));
      const options = { mode: 'http', size: String(size), 'io-threads': '1', ...identity };
      const start = peers[peer];
      assert.ok(start !== undefined);
      const server = await start({ ...options, ...(api !== undefined && { api }) });
      try {
        const { request } = peer === 'plain' ? http : https;
        const secure = { rejectUnauthorized: false, minVersion: 'TLSv1.3', ecdhCurve: 'X25519' } as const;
        const target = { host: '127.0.0.1', port: server.port, agent: false as const, ...secure };
        const before = await server.snapshot();
        assert.equal((await bodyOf(request(target))).length, size);
        const headers = { 'content-length': upload.length };
        assert.equal((await bodyOf(request({ ...target, method: 'POST', headers }), upload)).length, size);
        const after = await server.snapshot();
        assert.equal(after.requests - before.requests, 2);
        assert.equal(after.bytes - before.bytes, upload.length + 2 * size);
        assert.ok(after.cpuMain > before.cpuMain && after.cpuAll > before.cpuAll);
        if (peer.endsWith('-front')) assert.ok(Number(after.cpuFront) > Number(before.cpuFront));
        else assert.equal(after.cpuFront, undefined);
      } finally {
        await server.end();
      }
      await assert.rejects(bodyOf(http.request({ host: '127.0.0.1', port: server.port })), { code: 'ECONNREFUSED' });
    });
  }

  it('is none under register if its connections are those of node', async () => {
    const files = ['--cert', identity.cert, '--key', identity.key];
    const server = new Child(process.execPath, [join(packageFolder, 'bench/servers/registered.mjs'), 'http', ...files]);
    const [, port] = await server.printed(/"port":(\d+)/);
    const request = https.request({ host: '127.0.0.1', port: Number(port), agent: false, rejectUnauthorized: false });
    await assert.rejects(bodyOf(request));
    assert.equal((await server.exited).code, 1);
    assert.match(server.output, /a connection of node:tls, under --require system-tls\/register/);
  });

  it('says why it cannot be started', async function () {
    needsProgram(this, 'nginx');
    const wrong = { mode: 'http', size: '1', cert: '/nowhere.pem', key: '/nowhere.key' };
    await assert.rejects(async () => peers['nginx']?.(wrong), /nginx: it ended with 1\n.*nowhere\.pem/s);
    await assert.rejects(async () => peers['node']?.(wrong), /node:tls: it ended with 1\n.*nowhere\.pem/s);
  });
});
