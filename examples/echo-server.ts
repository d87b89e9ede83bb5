// Sends back what it gets. examples/client.ts talks to it.
//
//   node dist-examples/echo-server.js [port]
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { createServer, type TlsSocket } from 'system-tls';
import { makeCertificateAuthority } from './support/certificates.ts';

const authority = makeCertificateAuthority('Example CA');
const folder = await mkdtemp(path.join(tmpdir(), 'system-tls-'));
const caFile = path.join(folder, 'ca.pem');
await writeFile(caFile, authority.cert);

function serve(socket: TlsSocket): void {
  const name = `${socket.remoteAddress} port ${socket.remotePort}`;
  console.log(`${name}: ${socket.ssl.version}, ${socket.ssl.cipher?.name}`);
  // Cut off and ended are two different things: only the first is an error.
  socket.on('error', error => console.log(`${name}: ${(error as NodeJS.ErrnoException).code}`));
  socket.on('end', () => console.log(`${name}: said goodbye after ${socket.bytesRead} bytes`));
  socket.pipe(socket);
}

const server = createServer(authority.issueServer('localhost', ['localhost', '127.0.0.1']), serve);
server.on('tlsClientError', error => console.log(`a handshake failed: ${error.message}`));
await server.listen({ host: 'localhost', port: Number(process.argv[2] ?? 0) });

const { port } = server.address() as { port: number };
console.log(`node dist-examples/client.js localhost ${port} ${caFile}`);

for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => void stop());

async function stop(): Promise<void> {
  await server[Symbol.asyncDispose]();
  await rm(folder, { recursive: true });
}
