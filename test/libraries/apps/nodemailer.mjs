import assert from 'node:assert/strict';
import nodemailer from 'nodemailer';
import { SMTPServer } from 'smtp-server';
import { bytes, ca, cert, done, key, MiB, sha256 } from '../common.mjs';

const attachment = bytes(3 * MiB);

for (const secure of [false, true]) {
  const seen = [];
  const server = new SMTPServer({
    secure,
    cert,
    key,
    authOptional: false,
    onAuth: ({ username, password }, session, callback) => {
      seen.push({ username, password, secure: session.secure });
      callback(null, { user: username });
    },
    onData: (stream, _session, callback) => {
      stream.toArray().then(chunks => {
        seen.push(Buffer.concat(chunks).toString());
        callback(null, 'taken');
      }, callback);
    },
  });
  await new Promise(resolve => server.listen(0, '127.0.0.1', resolve));
  const transport = nodemailer.createTransport({
    host: 'localhost',
    port: server.server.address().port,
    secure,
    requireTLS: true,
    tls: { ca },
    auth: { user: 'somebody', pass: 'a password' },
  });
  const { response } = await transport.sendMail({
    from: 'one@example.com',
    to: 'other@example.com',
    subject: 'hello',
    text: 'hello',
    attachments: [{ filename: 'bytes', content: attachment }],
  });
  assert.equal(response, '250 taken');
  assert.deepEqual(seen[0], { username: 'somebody', password: 'a password', secure: true });
  const encoded = /filename=bytes[\s\S]*?\r\n\r\n([A-Za-z0-9+/=\r\n]+)/.exec(seen[1])?.[1] ?? '';
  assert.equal(sha256(Buffer.from(encoded, 'base64')), sha256(attachment));
  transport.close();
  await new Promise(resolve => server.close(resolve));
}
done('STARTTLS and implicit TLS, a password, 3 MiB');
