// "Resuming an SSL connection": the six steps of a client.
//
//   node dist-examples/resume-client.js port CA
import net from 'node:net';
import { Bio, Ssl, SslContext } from 'system-tls';

const [port, caFile] = process.argv.slice(2);
const context = new SslContext({ caFile });

function makeSsl(): Ssl {
  const ssl = new Ssl(context, { side: 'client', servername: 'localhost' });
  const bio = Bio.duplex(net.connect(Number(port), 'localhost'), { close: true });
  ssl.setBio(bio, bio);
  return ssl;
}

async function talk(ssl: Ssl): Promise<void> {
  await ssl.write('hello\n');
  console.log(`received: ${String(await ssl.read()).trim()}`);
}

// 1. The first connection makes a session.
const first = makeSsl();
await first.connect();
await talk(first);
// 2. It is saved. With TLS 1.3 it comes after the handshake, ahead of the server's first data.
const { session } = first;
// 3. The first connection is shut down.
await first.shutdown();
first.close();
// 4. and 5. A new one is given the session.
const second = makeSsl();
if (session !== null) second.setSession(session);
// 6. It resumes the session.
await second.connect();
console.log(`the session was ${second.sessionReused ? '' : 'not '}resumed`);
await talk(second);
await second.shutdown();
second.close();
