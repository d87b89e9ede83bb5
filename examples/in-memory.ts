// Two connections without a network: each writes what the other reads. The way to test a protocol, or to bring a
// transport of one's own.
import { Bio, Ssl, SslContext } from 'system-tls';
import { makeCertificateAuthority } from './support/certificates.ts';

const authority = makeCertificateAuthority('Example CA');
const { cert, key } = authority.issueServer('localhost', ['localhost']);

const [toServer, toClient] = [Bio.memory(), Bio.memory()];
const client = new Ssl(new SslContext({ ca: authority.cert }), { side: 'client', servername: 'localhost' });
const server = new Ssl(new SslContext({ cert, key }), { side: 'server' });
client.setBio(toClient, toServer);
server.setBio(toServer, toClient);

await Promise.all([client.connect(), server.accept()]);
console.log(`${client.version} with ${client.cipher?.name}, the server is ${client.peerCertificate?.subject}`);

await client.write('hello');
console.log(`the server read: ${await server.read()}`);
await server.write('hello to you');
console.log(`the client read: ${await client.read()}`);

await Promise.all([client.shutdown({ wait: true }), server.shutdown({ wait: true })]);
console.log(`after close_notify a read gives ${await client.read()}`);
client.close();
server.close();
