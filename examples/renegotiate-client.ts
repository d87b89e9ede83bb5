// "SSL renegotiation initiated by the SSL client". Its server, examples/simple-server.ts, only reads and writes.
//
//   node dist-examples/renegotiate-client.js port CA
import net from 'node:net';
import { Bio, Ssl, SslContext } from 'system-tls';

const [port, caFile] = process.argv.slice(2);
// TLS 1.3 has no renegotiation: see examples/key-update.ts.
const context = new SslContext({ caFile, maxVersion: 'TLSv1.2' });

await using ssl = new Ssl(context, { side: 'client', servername: 'localhost' });
const bio = Bio.duplex(net.connect(Number(port), 'localhost'), { close: true });
ssl.setBio(bio, bio);

await ssl.connect();
console.log('starting SSL renegotiation on SSL client (initiating by SSL client)');
// SSL_renegotiate(), SSL_do_handshake()
await ssl.renegotiate();
console.log(`${ssl.renegotiations} renegotiation complete`);
await ssl.write('after it\n');
console.log(`received: ${String(await ssl.read()).trim()}`);
