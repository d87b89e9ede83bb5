// "Using BIOs for SSL data transmission", the client: BIO_puts and BIO_write, BIO_gets and BIO_read.
//
//   node dist-examples/bio-client.js port CA
import net from 'node:net';
import { Bio, BufferBio, Ssl, SslBio, SslContext } from 'system-tls';

const [port, caFile] = process.argv.slice(2);
const ssl = new Ssl(new SslContext({ caFile }), { side: 'client', servername: 'localhost' });

await using bio = new BufferBio() // BIO_new(BIO_f_buffer())
  .push(new SslBio(ssl, { close: true })) // BIO_new(BIO_f_ssl()), BIO_set_ssl(ssl_bio, ssl, BIO_CLOSE), BIO_push
  .push(Bio.duplex(net.connect(Number(port), 'localhost'), { close: true }));

await bio.puts('a line\n');
await bio.write(Buffer.from('bytes\n'));
console.log(`gets: ${await bio.gets({ timeout: 10_000 })}`.trim());
console.log(`read: ${await bio.read({ timeout: 10_000 })}`.trim());
