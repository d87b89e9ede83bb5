// How a connection ends: with a word from both sides, or cut off. The two are never mistaken for each other.
import { once } from 'node:events';
import type { TlsAlert } from 'system-tls';
import { makeLink, type Pki } from './link.ts';
import { check, type Report } from './report.ts';

export async function showShutdown(report: Report, pki: Pki): Promise<void> {
  report.heading('Shutdown');
  await showTwoWay(report, pki);
  await showTruncation(report, pki);
}

async function showTwoWay(report: Report, pki: Pki): Promise<void> {
  const alerts: string[] = [];
  const note = ({ name, direction }: TlsAlert): void => void alerts.push(`${name} ${direction}`);
  await using link = await makeLink(pki, { on: { alert: note } });
  const closed = once(link.server, 'close');
  await link.client.ssl.shutdown({ wait: true });
  await closed;
  check(
    alerts.join() === 'close_notify sent,close_notify received',
    `close_notify both ways, not ${alerts.join(', ')}`,
  );
  report.passed('two-way', alerts.join(', '));
}

async function showTruncation(report: Report, pki: Pki): Promise<void> {
  await using link = await makeLink(pki);
  const failed = once(link.client, 'error');
  link.server.destroy();
  const [error] = (await failed) as [NodeJS.ErrnoException];
  check(error.code === 'ERR_SSL_UNEXPECTED_EOF', `ERR_SSL_UNEXPECTED_EOF, not ${error.code}`);
  report.passed('cut off by the peer', `told apart: ${error.code}`);
}
