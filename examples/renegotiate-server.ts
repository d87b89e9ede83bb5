// "SSL renegotiation initiated by the SSL server". Its client, examples/simple-client.ts, only reads and writes.
//
//   node dist-examples/renegotiate-server.js certificate key [port]
import net from 'node:net';
import { Bio, Ssl, SslContext } from 'system-tls';

const [certFile, keyFile, port = '0'] = process.argv.slice(2);
// TLS 1.3 has no renegotiation: see examples/key-update.ts.
const context = new SslContext({ certFile, keyFile, maxVersion: 'TLSv1.2' });

async function serve(socket: net.Socket): Promise<void> {
  await using ssl = new Ssl(context, { side: 'server' });
  const bio = Bio.duplex(socket, { close: true });
  ssl.setBio(bio, bio);

  await ssl.accept();
  console.log('starting SSL renegotiation on SSL server (initiating by SSL server)');
  // SSL_renegotiate(), SSL_do_handshake(), ssl->state = SSL_ST_ACCEPT, SSL_do_handshake()
  await ssl.renegotiate();
  console.log(`${ssl.renegotiations} renegotiation complete`);
  for await (const data of ssl) await ssl.write(data);
}

const listener = net.createServer(socket => {
  serve(socket).catch(error => console.error(error.message));
});
listener.listen(Number(port), 'localhost', () => console.log(`port ${(listener.address() as net.AddressInfo).port}`));
