// Where a peer is: names, IP addresses, and how they are written.
import { lookup } from 'node:dns/promises';
import { isIP } from 'node:net';
import { optionalString, validateText } from './validate.ts';

/**
 * The option `host` as an IP address.
 *
 * @param family - which, of a name that has addresses of both; default: the first
 * @throws what the system's resolver says (`ENOTFOUND`)
 */
export async function numericAddress(host: string, family?: 4 | 6): Promise<string> {
  if (isIP(host) !== 0) return host;
  return (await lookup(validateText(host, 'options.host'), { family: family ?? 0 })).address;
}

/** As in a URL: RFC 3986 section 3.2.2. */
export const hostAndPort = (host: string, port: number): string =>
  host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;

/** The option `servername` of who connects to `host`: what to send, if anything. RFC 6066 permits no IP address. */
export function servernameFor(host: string, option: unknown): string | undefined {
  const name = optionalString(option, 'options.servername') ?? (isIP(host) === 0 ? host : '');
  return name === '' ? undefined : name;
}
