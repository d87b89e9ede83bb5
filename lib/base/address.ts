// Where a peer is: names, IP addresses, and how they are written.
import { lookup } from 'node:dns/promises';
import { isIP } from 'node:net';
import { hostName, serverName } from './host-name.ts';
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

/** Whom a client means. */
export interface Target {
  /** What the certificate is checked against. */
  readonly host: string;
  /** What is sent, if anything: RFC 6066 permits no IP address. */
  readonly servername: string | undefined;
  /** What is looked up. */
  readonly lookup: string;
}

/** The options `host`, by default localhost, and `servername`, of which an empty one sends none. */
export function targetOf(options: { readonly host?: unknown; readonly servername?: unknown }): Target {
  const { name, isAddress, lookup } = hostName(
    optionalString(options.host, 'options.host') ?? 'localhost',
    'options.host',
  );
  const given = optionalString(options.servername, 'options.servername');
  const otherwise = isAddress || given !== undefined ? undefined : name;
  const servername = given === undefined || given === '' ? otherwise : serverName(given, 'options.servername');
  return { host: servername ?? name, servername, lookup };
}
