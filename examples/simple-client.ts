// The client of the tutorial: a context, a connected socket, the handshake, SSL_write and SSL_read, and the goodbyes of both.
// Renegotiations that the server begins are carried out by reading.
//
//   node dist-examples/simple-client.js port CA [message]
import net from 'node:net';
import { Bio, Ssl, SslContext } from 'system-tls';

const [port, caFile, message = 'this message is from the SSL client'] = process.argv.slice(2);
const context = new SslContext({ caFile });

await using ssl = new Ssl(context, { side: 'client', servername: 'localhost' });
const bio = Bio.duplex(net.connect(Number(port), 'localhost'), { close: true });
ssl.setBio(bio, bio);

await ssl.connect();
console.log(`${ssl.version} connection using ${ssl.cipher?.name}`);
console.log(`server certificate: ${ssl.peerCertificate?.subject}`);
await ssl.write(`${message}\n`);
console.log(`received: ${String(await ssl.read()).trim()}`);
console.log(`${ssl.renegotiations} renegotiations`);
await ssl.shutdown({ wait: true });
