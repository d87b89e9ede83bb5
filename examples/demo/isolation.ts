// Which OpenSSL is in use, and that it is not node's own.
import { openssl } from 'system-tls';
import { check, type Report } from './report.ts';

export function showOpenssl(report: Report): void {
  report.heading('OpenSSL in use');
  check(/^\d+\.\d+\.\d+/.test(openssl.version), `a version of OpenSSL, not ${openssl.version}`);
  report.passed(`OpenSSL ${openssl.version}`, `${openssl.libssl}`);
  report.detail(openssl.libcrypto);
  check(openssl.libssl !== process.execPath, 'a libssl beside node');
  check(openssl.isolated, 'no call lands in node');
  report.passed('isolated', `no call lands in the OpenSSL ${process.versions.openssl} of node ${process.version}`);
  const able = Object.entries(openssl.features).filter(([, has]) => has);
  report.detail(`it has ${able.map(([name]) => name).join(', ')}`);
}
