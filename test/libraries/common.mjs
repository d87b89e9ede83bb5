// What the applications of these tests share: certificates, data, and the modules of TLS, which are Node's unless the environment
// asks for the import of system-tls.
import { createHash, randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

const read = name => readFileSync(join(process.env.CERTIFICATES, name), 'utf8');

export const ca = read('ca.pem');
export const cert = read('cert.pem');
export const key = read('key.pem');

const from = process.env.LIBRARIES_IMPORT === '1' ? 'system-tls/' : 'node:';
const load = async name => (await import(`${from}${name}`)).default;

export const tls = await load('tls');
export const https = await load('https');
export const http2 = await load('http2');

export const MiB = 2 ** 20;
export const bytes = length => randomBytes(length);
export const sha256 = data => createHash('sha256').update(data).digest('hex');

/** Listens on a free port of loopback, and gives it. */
export async function listen(server) {
  await new Promise((resolve, reject) => server.once('error', reject).listen(0, '127.0.0.1', resolve));
  return server.address().port;
}

/** The last line, without which the application has ended too early. */
export const done = what => console.log(`done: ${what}`);
