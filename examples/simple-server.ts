// The server of the tutorial: a context, a socket for each client, the handshake, SSL_read and SSL_write until the client
// says goodbye, and a goodbye of its own. Renegotiations that a client begins are carried out by reading.
//
//   node dist-examples/simple-server.js certificate key [port]
import net from 'node:net';
import { Bio, Ssl, SslContext } from 'system-tls';

const [certFile, keyFile, port = '0'] = process.argv.slice(2);
const context = new SslContext({ certFile, keyFile, clientRenegotiation: true });

async function serve(socket: net.Socket): Promise<void> {
  await using ssl = new Ssl(context, { side: 'server' });
  const bio = Bio.duplex(socket, { close: true });
  ssl.setBio(bio, bio);

  await ssl.accept();
  console.log(`${ssl.version} connection using ${ssl.cipher?.name}`);
  for await (const data of ssl) {
    console.log(`received ${data.length} bytes`);
    await ssl.write(`this message is from the SSL server: ${data}`);
  }
  console.log(`the client said goodbye after ${ssl.renegotiations} renegotiations`);
}

const listener = net.createServer(socket => {
  serve(socket).catch(error => console.error(error.message));
});
listener.listen(Number(port), 'localhost', () => console.log(`port ${(listener.address() as net.AddressInfo).port}`));
