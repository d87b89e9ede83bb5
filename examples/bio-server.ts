// "Using BIOs for SSL data transmission", the server: a buffer BIO above an SSL BIO, and lines instead of bytes.
//
//   node dist-examples/bio-server.js certificate key [port]
import net from 'node:net';
import { Bio, BufferBio, Ssl, SslBio, SslContext } from 'system-tls';

const [certFile, keyFile, port = '0'] = process.argv.slice(2);
const context = new SslContext({ certFile, keyFile });

async function serve(socket: net.Socket): Promise<void> {
  const ssl = new Ssl(context, { side: 'server' });
  await using bio = new BufferBio() // BIO_new(BIO_f_buffer())
    .push(new SslBio(ssl, { close: true })) // BIO_new(BIO_f_ssl()), BIO_set_ssl(ssl_bio, ssl, BIO_CLOSE), BIO_push
    .push(Bio.duplex(socket, { close: true }));

  for (let line = await bio.gets(); line !== null; line = await bio.gets()) {
    await bio.puts(`you said: ${line}`);
    await bio.flush();
  }
  console.log('the client said goodbye');
}

const listener = net.createServer(socket => {
  serve(socket).catch(error => console.error(error.message));
});
listener.listen(Number(port), 'localhost', () => console.log(`port ${(listener.address() as net.AddressInfo).port}`));
