// HTTP by node's own parser over this package's TLS.
//
//   node dist-examples/https-server.js [port]
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import http from 'node:http';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { createServer, type TlsSocket } from 'system-tls';
import { makeCertificateAuthority } from './support/certificates.ts';

const authority = makeCertificateAuthority('Example CA');
const folder = await mkdtemp(path.join(tmpdir(), 'system-tls-'));
const caFile = path.join(folder, 'ca.pem');
await writeFile(caFile, authority.cert);

const web = http.createServer((request, response) => {
  const { ssl } = request.socket as unknown as TlsSocket;
  response.setHeader('Content-Type', 'text/plain');
  response.end(`${request.method} ${request.url} over ${ssl.version}, ${ssl.cipher?.name}\n`);
});

// http wants any duplex stream that looks like a socket. It says itself where a message ends, and leaves a socket without a
// listener for 'error' after an upgrade: a client that goes without close_notify is an end, as in node:https.
const server = createServer(
  {
    ...authority.issueServer('localhost', ['localhost', '127.0.0.1']),
    ALPNProtocols: ['http/1.1'],
    strictEnd: false,
  },
  socket => web.emit('connection', socket),
);
server.on('tlsClientError', error => console.error(`a handshake failed: ${error.message}`));
await server.listen({ host: 'localhost', port: Number(process.argv[2] ?? 0) });

const { port } = server.address() as { port: number };
console.log(`curl --cacert ${caFile} https://localhost:${port}/`);

for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => void stop());

async function stop(): Promise<void> {
  await server[Symbol.asyncDispose]();
  await rm(folder, { recursive: true });
}
