// The names of hosts, as they are sent and compared: RFC 6066 section 3, RFC 9525 section 6.
//
// OpenSSL compares what it is given: a name with a dot before it stands for everything below (X509_check_host(3)), one with
// a dot behind it equals none in a certificate, and text that is not ASCII goes out as it is.
import { isIP } from 'node:net';
import { domainToASCII } from 'node:url';
import { invalidArgValue } from './coded-error.ts';
import { validateText } from './validate.ts';

/** RFC 1035 section 2.3.4, without the dot behind it; a server's name in a ClientHello may not be longer than 255. */
const maxName = 253;
/** Letters, digits and hyphens, and the underscore, which the DNS has too. */
const namePattern = /^(?:[\w-]{1,63}\.)*[\w-]{1,63}$/;
/** What may stand beside characters that are to be mapped: a URL's parser would read the rest as its own. */
const asciiOfNames = /^[\w.\-\u0080-\u{10ffff}]*$/u;
/** As a URL sees it, and getaddrinfo(3): a name whose last label is a number is an address, such as 127.1. */
const numberAtEnd = /(?:^|\.)(?:\d+|0x[\da-f]*)\.?$/i;
const ascii = /^[\0-\x7f]*$/;

export interface HostName {
  /** What is sent and what a certificate must carry: a name in ASCII without a dot behind it, or an address. */
  readonly name: string;
  readonly isAddress: boolean;
  /** What is looked up: the same, but that a dot behind a name keeps the resolver from completing it. */
  readonly lookup: string;
}

/** A zone says through which of our interfaces (RFC 4007 section 11): no certificate carries one. */
const address = (text: string): HostName => ({ name: text.replace(/%.*$/, ''), isAddress: true, lookup: text });

function refused(option: string, text: string, kind: string): Error {
  const what = `must be ${kind}, without dots before it, blanks or empty parts, of at most ${maxName} characters`;
  return invalidArgValue(option, text === '' ? 'must not be empty' : what, text);
}

function mapped(text: string): string {
  if (ascii.test(text) && !numberAtEnd.test(text)) return text;
  return asciiOfNames.test(text) ? domainToASCII(text) : '';
}

/**
 * A host as a user gave it; names that are not ASCII are mapped as node maps those of URLs (IDNA).
 *
 * @param option - what messages call it
 * @param kind - and what they say that it must be
 * @throws TypeError `ERR_INVALID_ARG_VALUE` for what is neither a name nor an address
 */
export function hostName(text: string, option: string, kind = 'the name of a host or an IP address'): HostName {
  validateText(text, option);
  if (isIP(text) !== 0) return address(text);
  const lookup = mapped(text);
  if (isIP(lookup) !== 0) return address(lookup);
  const name = lookup.replace(/\.$/, '');
  if (name.length > maxName || !namePattern.test(name)) throw refused(option, text, kind);
  return { name, isAddress: false, lookup };
}

/** What a client sends. @throws TypeError `ERR_INVALID_ARG_VALUE`, also for an address */
export function serverName(text: string, option: string): string {
  const { name, isAddress } = hostName(text, option, 'the name of a host');
  if (isAddress) throw invalidArgValue(option, 'must be a name: RFC 6066 permits no IP address', text);
  return name;
}
