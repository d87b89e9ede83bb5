// Who issued a certificate, of those that are at hand.
import type { X509Certificate } from 'node:crypto';

/** The certificate and those that it comes from, as far as they are known; a root ends it. */
export function withKnownIssuers(own: X509Certificate, known: readonly X509Certificate[]): X509Certificate[] {
  const chain = [own];
  for (let last = own; !last.checkIssued(last); ) {
    const issuer = known.find(each => last.checkIssued(each) && !chain.includes(each));
    if (issuer === undefined) break;
    chain.push(issuer);
    last = issuer;
  }
  return chain;
}
