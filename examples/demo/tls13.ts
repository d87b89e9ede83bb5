// TLS 1.3: the handshake, data, and new keys while the connection lives.
import { randomBytes } from 'node:crypto';
import type { KeyUpdateEvent, TlsSocket } from 'system-tls';
import { type Link, makeLink, type Pki, roundTrip } from './link.ts';
import { check, type Report } from './report.ts';
import { shortened } from './secrets.ts';

export async function showTls13(report: Report, pki: Pki): Promise<void> {
  report.heading('TLS 1.3');
  await using link = await makeLink(pki);
  showHandshake(report, link);
  await showData(report, link);
  await showKeyUpdate(report, link, 'client', false);
  await showKeyUpdate(report, link, 'client', true);
  await showKeyUpdate(report, link, 'server', false);
  await showKeyUpdate(report, link, 'server', true);
}

function showHandshake(report: Report, { client }: Link): void {
  const { ssl } = client;
  check(ssl.version === 'TLSv1.3', `TLSv1.3, not ${ssl.version}`);
  check(client.authorized, `the server's certificate to be verified: ${client.authorizationError}`);
  report.passed('handshake', `${ssl.version}, ${ssl.cipher?.name}, ${ssl.group}`);
  report.detail(`${ssl.peerCertificate?.subject}, signed by ${ssl.peerCertificate?.issuer}: ${ssl.verifyResult.name}`);
}

async function showData(report: Report, { client }: Link): Promise<void> {
  const data = randomBytes(1 << 20);
  const returned = await roundTrip(client, data);
  check(returned.equals(data), 'the data to come back as it was sent');
  report.passed('data', '1 MiB to the server and back, unchanged');
}

type Side = 'client' | 'server';
const other: Record<Side, Side> = { client: 'server', server: 'client' };

/** A key update of one side, seen by the other, and in the secrets of both. */
async function showKeyUpdate(report: Report, link: Link, side: Side, requestPeer: boolean): Promise<void> {
  const before = currentSecrets(link);
  const seen = nextUpdateOfPeer(link[other[side]]);
  const { peerUpdated } = await link[side].keyUpdate({ requestPeer });
  const { requested } = await seen;
  check(requested === requestPeer, `the ${other[side]} to be asked for an update of its own: ${requestPeer}`);
  await peerUpdated;
  await roundTrip(link.client, Buffer.from('under the new keys'));
  const after = currentSecrets(link);
  checkChange(before, after, side, true);
  checkChange(before, after, other[side], requestPeer);
  report.passed(`key update by the ${side}`, requestPeer ? 'and requested from its peer' : 'its peer keeps its keys');
  report.detail(`${describe('client', before, after)}  ${describe('server', before, after)}`.trimEnd());
}

/** One listener until it comes: several events may be told at once. */
function nextUpdateOfPeer(socket: TlsSocket): Promise<KeyUpdateEvent> {
  return new Promise(resolve => {
    const look = (event: KeyUpdateEvent): void => {
      if (event.from !== 'peer') return;
      socket.off('keyUpdate', look);
      resolve(event);
    };
    socket.on('keyUpdate', look);
  });
}

type CurrentSecrets = Record<Side, string>;

/** Both sides derive the secrets for themselves: they must agree. */
function currentSecrets({ clientSecrets, serverSecrets }: Link): CurrentSecrets {
  check(
    clientSecrets.client !== '' && clientSecrets.client === serverSecrets.client,
    "one view of the client's secret",
  );
  check(
    clientSecrets.server !== '' && clientSecrets.server === serverSecrets.server,
    "one view of the server's secret",
  );
  return { client: clientSecrets.client, server: clientSecrets.server };
}

function checkChange(before: CurrentSecrets, after: CurrentSecrets, side: Side, expected: boolean): void {
  const changed = before[side] !== after[side];
  check(changed === expected, `the ${side}'s traffic secret ${expected ? 'to change' : 'to stay'}`);
}

function describe(side: Side, before: CurrentSecrets, after: CurrentSecrets): string {
  const old = shortened(before[side]);
  return before[side] === after[side]
    ? `${side} secret ${old} stays`.padEnd(42)
    : `${side} secret ${old} becomes ${shortened(after[side])}`;
}
