// The load of the benchmark does what its jobs say: figures of something else would be of no use.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import http from 'node:http';
import https from 'node:https';
import { join } from 'node:path';
import { needsProgram } from '../../support/capabilities.ts';
import { certificates } from '../../support/certificates.ts';
import { Child, packageFolder } from '../../support/child.ts';

const load = join(packageFolder, 'out/bench/load');
const size = 1 << 20;

interface Result {
  readonly requests: number;
  readonly handshakes: number;
  readonly resumed: number;
  readonly version: string;
  readonly p50: number;
}

type Handler = (request: http.IncomingMessage, response: http.ServerResponse) => void;

const answered = (bytes: number): Handler => {
  return (_request, response) => response.writeHead(200, { 'content-length': bytes }).end(Buffer.alloc(bytes));
};

async function listening(server: http.Server | https.Server): Promise<number> {
  await once(server.listen(0, '127.0.0.1'), 'listening');
  return (server.address() as { port: number }).port;
}

async function plainServer(handler: Handler): Promise<[http.Server, number]> {
  const server = http.createServer(handler);
  return [server, await listening(server)];
}

async function secureServer(handler: Handler): Promise<[https.Server, number]> {
  const { cert, key } = certificates().server;
  const server = https.createServer({ cert, key, ecdhCurve: 'X25519' }, handler);
  return [server, await listening(server)];
}

/** Until a second was counted. */
async function run(args: readonly string[]): Promise<Result> {
  const child = new Child(load, args);
  await child.printed(/"ready"/);
  child.write('start\n');
  await new Promise(resolve => setTimeout(resolve, 1000));
  child.write('stop\n');
  assert.deepEqual(await child.exited, { code: 0, signal: null }, child.output);
  return JSON.parse(child.output.trim().split('\n').at(-1) ?? '') as Result;
}

async function fails(args: readonly string[]): Promise<string> {
  const child = new Child(load, args);
  assert.deepEqual(await child.exited, { code: 1, signal: null }, child.output);
  return child.output;
}

describe('The load of the benchmark', () => {
  before('build', function () {
    needsProgram(this, 'cc');
    execFileSync(process.execPath, [join(packageFolder, 'bench/native/build.mjs')], { stdio: 'pipe' });
  });

  const servers: (http.Server | https.Server)[] = [];
  const started = async ([server, port]: [http.Server | https.Server, number]): Promise<string> => {
    servers.push(server);
    return String(port);
  };
  afterEach(() => {
    for (const server of servers.splice(0)) server.close().closeAllConnections();
  });

  it('asks over TCP, and says that it was no TLS', async () => {
    const versions = new Set<string>();
    const port = await started(
      await plainServer((request, response) => {
        versions.add(`${request.method} ${request.httpVersion}`);
        answered(64 * 1024)(request, response);
      }),
    );
    const result = await run(['request', '--plain', '1', '--connections', '8', '--size', '65536', '--port', port]);
    assert.ok(result.requests > 8, `${result.requests} requests`);
    assert.equal(result.version, 'none');
    assert.ok(result.p50 > 0);
    assert.deepEqual([...versions], ['GET 1.1']);
  });

  for (const [what, plain, make] of [
    ['TCP', '1', plainServer],
    ['TLS', '0', secureServer],
  ] as const) {
    it(`uploads whole bodies over ${what}`, async () => {
      const lengths = new Map<number, number>();
      const port = await started(
        await make((request, response) => {
          let length = 0;
          request.on('data', (data: Buffer) => {
            length += data.length;
          });
          request.on('end', () => {
            lengths.set(length, (lengths.get(length) ?? 0) + 1);
            answered(1)(request, response);
          });
        }),
      );
      const options = ['--plain', plain, '--connections', '3', '--size', String(size), '--port', port];
      const result = await run(['upload', ...options]);
      assert.ok(result.requests > 3, `${result.requests} requests`);
      assert.deepEqual([...lengths.keys()], [size], 'no body is longer or shorter');
    });

    it(`makes a connection of ${what} for each request`, async () => {
      let [connections, requests] = [0, 0];
      const [server, port] = await make((request, response) => {
        requests++;
        answered(1024)(request, response);
      });
      server.on('connection', () => {
        connections++;
      });
      await started([server, port]);
      const options = ['--http', '1', '--plain', plain, '--connections', '4', '--port', String(port)];
      const result = await run(['handshake', ...options]);
      assert.ok(result.handshakes > 4, `${result.handshakes} connections`);
      assert.equal(result.resumed, 0);
      // Four at the most are under way when it ends.
      assert.ok(requests > 4 && connections - requests <= 4, `${connections} connections, ${requests} requests`);
    });
  }

  it('resumes where it is told to', async () => {
    const port = await started(await secureServer(answered(1024)));
    const options = ['--http', '1', '--resume', '1', '--connections', '4', '--port', port];
    // The first connections are over before it begins to count.
    const result = await run(['handshake', ...options]);
    assert.ok(result.resumed > 4);
    assert.equal(result.resumed, result.handshakes);
  });

  it('ends when a server answers before all was asked', async () => {
    const port = await started(await plainServer(answered(1)));
    const options = ['--plain', '1', '--size', String(64 * size), '--port', port];
    assert.match(await fails(['upload', ...options]), /^answered before all was asked: /m);
  });

  it('ends when a server answers anything but 200', async () => {
    const port = await started(await plainServer((_request, response) => response.writeHead(404).end()));
    assert.match(await fails(['request', '--plain', '1', '--port', port]), /^no HTTP response with a length/m);
  });

  it('ends when a server speaks no TLS, and where TCP alone makes no sense', async () => {
    const port = await started(await plainServer(answered(1)));
    assert.match(await fails(['request', '--port', port]), /^handshake\n/m);
    assert.match(await fails(['send', '--plain', '1', '--port', port]), /^--plain: not with bulk data/m);
  });
});
