// A certificate authority of our own for the examples: nothing but node:crypto is needed, and nothing is stored.
import { createHash, generateKeyPairSync, type KeyObject, randomBytes, sign } from 'node:crypto';
import { isIP } from 'node:net';
import {
  bitString,
  explicit,
  implicit,
  integer,
  objectIdentifier,
  octetString,
  sequence,
  set,
  utcTime,
  utf8String,
  yes,
} from './der.ts';

/** Both in PEM, as the options `cert` and `key` take them. */
export interface Identity {
  readonly cert: string;
  readonly key: string;
}

export interface CertificateAuthority {
  /** For the option `ca`. */
  readonly cert: string;
  /** @param names - host names and IPv4 addresses that it is for */
  issueServer(commonName: string, names: readonly string[]): Identity;
  issueClient(commonName: string): Identity;
}

interface KeyPair {
  readonly publicKey: KeyObject;
  readonly privateKey: KeyObject;
}

const hour = 3_600_000;
const ecdsaWithSha256 = sequence(objectIdentifier('1.2.840.10045.4.3.2'));
const usages = { server: '1.3.6.1.5.5.7.3.1', client: '1.3.6.1.5.5.7.3.2' };

const makeKeyPair = (): KeyPair => generateKeyPairSync('ec', { namedCurve: 'P-256' });

const distinguishedName = (commonName: string): Buffer =>
  sequence(set(sequence(objectIdentifier('2.5.4.3'), utf8String(commonName))));

const publicKeyInfo = (key: KeyObject): Buffer => key.export({ type: 'spki', format: 'der' });

const keyIdentifier = (key: KeyObject): Buffer => createHash('sha1').update(publicKeyInfo(key)).digest();

function toPem(der: Buffer): string {
  const lines = der.toString('base64').match(/.{1,64}/g) ?? [];
  return ['-----BEGIN CERTIFICATE-----', ...lines, '-----END CERTIFICATE-----', ''].join('\n');
}

function extension(id: string, critical: boolean, value: Uint8Array): Buffer {
  return sequence(objectIdentifier(id), ...(critical ? [yes] : []), octetString(value));
}

/** What both kinds of certificates have: who they are of, and who signed them (RFC 5280, section 4.2.1). */
function keyIdentifiers(subject: KeyObject, issuer: KeyObject): Buffer[] {
  return [
    extension('2.5.29.14', false, octetString(keyIdentifier(subject))),
    extension('2.5.29.35', false, sequence(implicit(0, keyIdentifier(issuer)))),
  ];
}

const authorityExtensions: readonly Buffer[] = [
  extension('2.5.29.19', true, sequence(yes)), // basicConstraints: a CA
  extension('2.5.29.15', true, bitString(Buffer.of(0b0000_0110), 1)), // keyUsage: keyCertSign, cRLSign
];

const leafExtensions = (usage: string): Buffer[] => [
  extension('2.5.29.19', true, sequence()),
  extension('2.5.29.15', true, bitString(Buffer.of(0b1000_0000), 7)), // keyUsage: digitalSignature
  extension('2.5.29.37', false, sequence(objectIdentifier(usage))), // extendedKeyUsage
];

function alternativeNames(names: readonly string[]): Buffer {
  const items = names.map(name =>
    isIP(name) === 4 ? implicit(7, Buffer.from(name.split('.').map(Number))) : implicit(2, Buffer.from(name)),
  );
  return extension('2.5.29.17', false, sequence(...items));
}

interface Content {
  readonly subject: string;
  readonly issuer: string;
  readonly key: KeyObject;
  readonly extensions: readonly Buffer[];
}

function makeCertificate({ subject, issuer, key, extensions }: Content, signer: KeyObject): string {
  const now = Date.now();
  const toBeSigned = sequence(
    explicit(0, integer(Buffer.of(2))), // version 3
    integer(Buffer.of(1, ...randomBytes(15))),
    ecdsaWithSha256,
    distinguishedName(issuer),
    sequence(utcTime(new Date(now - hour)), utcTime(new Date(now + 30 * 24 * hour))),
    distinguishedName(subject),
    publicKeyInfo(key),
    explicit(3, sequence(...extensions)),
  );
  return toPem(sequence(toBeSigned, ecdsaWithSha256, bitString(sign('sha256', toBeSigned, signer))));
}

/** Makes an authority whose certificates are good for a month. */
export function makeCertificateAuthority(name: string): CertificateAuthority {
  const own = makeKeyPair();

  function issue(subject: string, extensions: readonly Buffer[]): Identity {
    const { publicKey, privateKey } = makeKeyPair();
    const all = [...extensions, ...keyIdentifiers(publicKey, own.publicKey)];
    const cert = makeCertificate({ subject, issuer: name, key: publicKey, extensions: all }, own.privateKey);
    return { cert, key: privateKey.export({ type: 'pkcs8', format: 'pem' }) as string };
  }

  const extensions = [...authorityExtensions, ...keyIdentifiers(own.publicKey, own.publicKey)];
  return {
    cert: makeCertificate({ subject: name, issuer: name, key: own.publicKey, extensions }, own.privateKey),
    issueServer: (commonName, names) => issue(commonName, [...leafExtensions(usages.server), alternativeNames(names)]),
    issueClient: commonName => issue(commonName, leafExtensions(usages.client)),
  };
}
