// node's own http served over a TlsSocket, fetched by curl and by node's https.
import assert from 'node:assert/strict';
import http from 'node:http';
import https from 'node:https';
import { buffer } from 'node:stream/consumers';
import { pattern, sha256 } from './support/bytes.ts';
import { needsProgram } from './support/capabilities.ts';
import { certificates } from './support/certificates.ts';
import { Child } from './support/child.ts';
import { startServer } from './support/sockets.ts';
import { within } from './support/wait.ts';

const large = pattern(8 << 20);

async function startHttp(): Promise<number> {
  const server = http.createServer(async (request, response) => {
    if (request.url === '/large') response.end(large);
    else if (request.method === 'POST') response.end(sha256(await buffer(request)));
    else response.end(`you asked for ${request.url}\n`);
  });
  const { port } = await startServer({ ALPNProtocols: ['http/1.1'] }, socket => server.emit('connection', socket));
  return port;
}

describe('http over TlsSocket', () => {
  it('fetched with curl: small, large, posted, on one connection', async function () {
    needsProgram(this, 'curl');
    const port = await startHttp();
    const base = `https://localhost:${port}`;
    const common = [
      '--silent',
      '--show-error',
      '--cacert',
      certificates().ca.certFile,
      '--resolve',
      `localhost:${port}:127.0.0.1`,
    ];
    const small = new Child('curl', [...common, '--verbose', `${base}/one`, `${base}/two`]);
    assert.equal((await within(small.exited, 'curl')).code, 0, small.output);
    assert.match(small.output, /you asked for \/one\n/);
    assert.match(small.output, /you asked for \/two\n/);
    assert.match(small.output, /Re-using existing connection/i);
    const sized = new Child('curl', [
      ...common,
      '--output',
      '/dev/null',
      '--write-out',
      '%{http_code} %{size_download}',
      `${base}/large`,
    ]);
    assert.equal((await within(sized.exited, 'curl')).code, 0, sized.output);
    assert.equal(sized.output, `200 ${large.length}`);
    const posted = new Child('curl', [...common, '--data-binary', `@${certificates().ca.certFile}`, base]);
    assert.equal((await within(posted.exited, 'curl')).code, 0, posted.output);
    assert.equal(posted.output, sha256(Buffer.from(certificates().ca.cert)));
  });

  it('plain HTTP by curl is refused, and the server goes on', async function () {
    needsProgram(this, 'curl');
    const port = await startHttp();
    const plain = new Child('curl', ['--silent', `http://127.0.0.1:${port}/`]);
    assert.notEqual((await within(plain.exited, 'curl')).code, 0);
    const good = new Child('curl', ['--silent', '--insecure', `https://127.0.0.1:${port}/x`]);
    assert.equal((await within(good.exited, 'curl')).code, 0);
    assert.match(good.output, /you asked for \/x/);
  });

  it('100 requests of node’s https, keep-alive, 10 at a time', async () => {
    const port = await startHttp();
    const agent = new https.Agent({
      keepAlive: true,
      maxSockets: 10,
      ca: certificates().ca.cert,
      servername: 'localhost',
    });
    try {
      const bodies = await within(
        Promise.all(
          Array.from({ length: 100 }, (_, i) => {
            return new Promise<string>((resolve, reject) => {
              https
                .get({ host: '127.0.0.1', port, path: `/${i}`, agent }, response => {
                  buffer(response).then(body => resolve(String(body)), reject);
                })
                .on('error', reject);
            });
          }),
        ),
        'all answers',
      );
      assert.deepEqual(
        bodies,
        bodies.map((_, i) => `you asked for /${i}\n`),
      );
    } finally {
      agent.destroy();
    }
  });
});
