// A session that is stored, and resumed by a second connection to the same server.
import { once } from 'node:events';
import { connect, createServer, type Server, SslSession, type TlsSocket } from 'system-tls';
import { type Pki, portOf } from './link.ts';
import { check, type Report } from './report.ts';

const versions = ['TLSv1.3', 'TLSv1.2'] as const;

export async function showResumption(report: Report, pki: Pki): Promise<void> {
  report.heading('Resumption');
  for (const maxVersion of versions) {
    await using server = createServer({ ...pki.server, maxVersion }, socket => socket.end('welcome'));
    await server.listen({ host: 'localhost' });
    const stored = await firstVisit(server, pki);
    await secondVisit(server, pki, stored);
    report.passed(maxVersion, `resumed from ${stored.length} stored bytes: no certificate was sent or checked again`);
  }
}

function visit(
  server: Server,
  pki: Pki,
  session?: SslSession,
  keep?: (session: SslSession) => void,
): Promise<TlsSocket> {
  const target = { host: 'localhost', port: portOf(server), ca: pki.authority.cert };
  return connect({ ...target, session, on: { session: keep } });
}

/** With TLS 1.3 sessions come after the handshake, so one waits for the data too. */
async function firstVisit(server: Server, pki: Pki): Promise<Buffer> {
  let latest: SslSession | undefined;
  const keep = (session: SslSession): void => {
    latest = session;
  };
  const socket = await visit(server, pki, undefined, keep);
  check(!socket.ssl.sessionReused, 'a full handshake first');
  await readToEnd(socket);
  check(latest?.resumable === true, 'a session that can be resumed');
  return latest.serialize();
}

async function secondVisit(server: Server, pki: Pki, stored: Buffer): Promise<void> {
  const socket = await visit(server, pki, SslSession.from(stored));
  check(socket.ssl.sessionReused, 'the session to be resumed');
  check(socket.authorized, 'the certificate of the first handshake to count');
  await readToEnd(socket);
}

async function readToEnd(socket: TlsSocket): Promise<void> {
  const closed = once(socket, 'close');
  let text = '';
  for await (const chunk of socket) text += chunk;
  check(text === 'welcome', `the server's words, not "${text}"`);
  await closed;
}
