// TLS 1.2: new handshakes on a connection that lives.
import { once } from 'node:events';
import type { RenegotiateEvent } from 'system-tls';
import { type Link, makeLink, type Pki, roundTrip } from './link.ts';
import { check, type Report } from './report.ts';
import { shortened } from './secrets.ts';

export async function showTls12(report: Report, pki: Pki): Promise<void> {
  report.heading('TLS 1.2');
  await using link = await makeLink(pki, {
    server: { maxVersion: 'TLSv1.2', clientRenegotiation: true, ca: pki.authority.cert },
    client: pki.client,
  });
  const { ssl } = link.client;
  check(ssl.version === 'TLSv1.2', `TLSv1.2, not ${ssl.version}`);
  report.passed('handshake', `${ssl.version}, ${ssl.cipher?.name}`);
  await showByClient(report, link, false);
  await showByClient(report, link, true);
  await showByServer(report, link);
  check(ssl.renegotiations === 3, `three renegotiations, not ${ssl.renegotiations}`);
}

/** A full renegotiation agrees on a new master secret; an abbreviated one makes new keys of the old. */
async function showByClient(report: Report, link: Link, abbreviated: boolean): Promise<void> {
  const before = currentKeys(link);
  const seen = once(link.server, 'renegotiate');
  await link.client.renegotiate({ abbreviated });
  const [event] = (await seen) as [RenegotiateEvent];
  check(event.from === 'peer' && event.resumed === abbreviated, 'the server to see a renegotiation of that kind');
  await roundTrip(link.client, Buffer.from('after the renegotiation'));
  const after = currentKeys(link);
  check(before.random !== after.random, 'a new client random');
  check((before.master === after.master) === abbreviated, `the master secret ${abbreviated ? 'to stay' : 'to change'}`);
  report.passed(`renegotiation by the client`, abbreviated ? 'abbreviated: the session is resumed' : 'full');
  report.detail(describe(before, after));
}

/** The way to ask for a client certificate after the fact, before TLS 1.3. */
async function showByServer(report: Report, link: Link): Promise<void> {
  const before = currentKeys(link);
  check(!link.server.authorized, 'a client that is not known yet');
  await link.server.requestClientCertificate();
  await roundTrip(link.client, Buffer.from('after the renegotiation'));
  const { peerCertificate, verifyResult } = link.server.ssl;
  check(peerCertificate?.subject === 'CN=demo client', "the client's certificate");
  check(verifyResult.code === 0, `the client's certificate to be verified: ${verifyResult.message}`);
  report.passed(
    'renegotiation by the server',
    `certificate required: ${peerCertificate.subject}, ${verifyResult.name}`,
  );
  report.detail(describe(before, currentKeys(link)));
}

interface Keys {
  readonly master: string;
  readonly random: string;
}

function currentKeys({ clientSecrets, serverSecrets }: Link): Keys {
  const { master, random } = clientSecrets;
  check(master !== '' && master === serverSecrets.master, 'one master secret on both sides');
  return { master, random };
}

function describe(before: Keys, after: Keys): string {
  const master =
    before.master === after.master
      ? `master secret ${shortened(after.master)} stays`
      : `master secret ${shortened(before.master)} becomes ${shortened(after.master)}`;
  return `${master}, client random ${shortened(before.random)} becomes ${shortened(after.random)}`;
}
