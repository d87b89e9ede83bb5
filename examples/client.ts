// Sends what it reads from standard input, and prints what comes back.
//
//   node dist-examples/client.js host port [file with the CA; default: what the system trusts]
import { readFile } from 'node:fs/promises';
import { pipeline } from 'node:stream/promises';
import { connect, OpenSslError } from 'system-tls';

const [host = 'localhost', port = '443', caFile] = process.argv.slice(2);

try {
  const ca = caFile === undefined ? undefined : await readFile(caFile);
  const socket = await connect({ host, port: Number(port), ca, timeout: 10_000, allowHalfOpen: true });
  const { ssl } = socket;
  console.error(`${ssl.version}, ${ssl.cipher?.name}, ${ssl.peerCertificate?.subject}: ${ssl.verifyResult.name}`);
  await Promise.all([pipeline(process.stdin, socket), pipeline(socket, process.stdout)]);
} catch (error) {
  console.error(error instanceof OpenSslError ? `${error.code}: ${error.message}` : error);
  process.exitCode = 1;
}
