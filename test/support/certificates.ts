// Certificates for the tests, made by the openssl program once in a run.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export interface Identity {
  /** PEM. */
  readonly cert: string;
  readonly key: string;
  readonly certFile: string;
  readonly keyFile: string;
}

export interface Certificates {
  /** Holds the files, and whatever else a test wants to put there; removed when the process ends. */
  readonly folder: string;
  /** Signed all of these but `selfSigned` and `stranger`. */
  readonly ca: Identity;
  readonly otherCa: Identity;
  /** localhost, 127.0.0.1 and ::1; ECDSA P-256. */
  readonly server: Identity;
  /** The same names; RSA 2048. */
  readonly serverRsa: Identity;
  readonly client: Identity;
  /** elsewhere.example. */
  readonly wrongHost: Identity;
  /** localhost, but its time is over. */
  readonly expired: Identity;
  /** localhost, signed by itself. */
  readonly selfSigned: Identity;
  /** A client certificate signed by `otherCa`. */
  readonly stranger: Identity;
  /** Signed by `ca`; signed `deepServer`, whose `cert` holds both. */
  readonly intermediate: Identity;
  readonly deepServer: Identity;
}

const localNames = 'subjectAltName=DNS:localhost,IP:127.0.0.1,IP:::1';
const leaf = 'basicConstraints=critical,CA:FALSE';
const authority = ['basicConstraints=critical,CA:TRUE', 'keyUsage=critical,keyCertSign,cRLSign'];
const ecKey = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256'];
const rsaKey = ['-newkey', 'rsa:2048'];

export function openssl(...args: string[]): string {
  return execFileSync('openssl', args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
}

class Maker {
  readonly folder: string;

  constructor(folder: string) {
    this.folder = folder;
  }

  make(name: string, subject: string, extensions: readonly string[], issuer?: Identity, key = ecKey): Identity {
    const [certFile, keyFile] = this.#files(name);
    openssl(
      ...['req', '-x509', ...key, '-nodes', '-keyout', keyFile, '-out', certFile, '-days', '30', '-subj', subject],
      ...(issuer === undefined ? [] : ['-CA', issuer.certFile, '-CAkey', issuer.keyFile]),
      ...extensions.flatMap(extension => ['-addext', extension]),
    );
    return read(certFile, keyFile);
  }

  makeExpired(name: string, subject: string, extensions: readonly string[], issuer: Identity): Identity {
    const [certFile, keyFile] = this.#files(name);
    const request = join(this.folder, `${name}.csr`);
    const extensionFile = join(this.folder, `${name}.ext`);
    openssl('req', '-new', ...ecKey, '-nodes', '-keyout', keyFile, '-out', request, '-subj', subject);
    writeFileSync(extensionFile, extensions.join('\n'));
    // Only `x509 -req` takes a negative number of days.
    openssl(
      ...['x509', '-req', '-in', request, '-out', certFile, '-days', '-1', '-extfile', extensionFile],
      ...['-CA', issuer.certFile, '-CAkey', issuer.keyFile, '-set_serial', '4711'],
    );
    return read(certFile, keyFile);
  }

  #files(name: string): [certFile: string, keyFile: string] {
    return [join(this.folder, `${name}.pem`), join(this.folder, `${name}.key`)];
  }
}

function read(certFile: string, keyFile: string): Identity {
  return { cert: readFileSync(certFile, 'utf8'), key: readFileSync(keyFile, 'utf8'), certFile, keyFile };
}

function makeAll(): Certificates {
  const folder = mkdtempSync(join(tmpdir(), 'system-tls-test-'));
  process.on('exit', () => rmSync(folder, { recursive: true, force: true }));
  const maker = new Maker(folder);
  const ca = maker.make('ca', '/CN=Test CA', authority);
  const otherCa = maker.make('other-ca', '/CN=Other CA', authority);
  const forServer = [leaf, localNames, 'extendedKeyUsage=serverAuth'];
  const forClient = [leaf, 'extendedKeyUsage=clientAuth'];
  const intermediate = maker.make('intermediate', '/CN=Intermediate CA', authority, ca);
  const deep = maker.make('deep-server', '/CN=localhost', forServer, intermediate);
  return {
    folder,
    ca,
    otherCa,
    server: maker.make('server', '/CN=localhost', forServer, ca),
    serverRsa: maker.make('server-rsa', '/CN=localhost', forServer, ca, rsaKey),
    client: maker.make('client', '/CN=client', forClient, ca),
    wrongHost: maker.make('wrong-host', '/CN=elsewhere.example', [leaf, 'subjectAltName=DNS:elsewhere.example'], ca),
    expired: maker.makeExpired('expired', '/CN=localhost', [leaf, localNames], ca),
    selfSigned: maker.make('self-signed', '/CN=localhost', [leaf, localNames]),
    stranger: maker.make('stranger', '/CN=stranger', forClient, otherCa),
    intermediate,
    deepServer: { ...deep, cert: deep.cert + intermediate.cert },
  };
}

let made: Certificates | undefined;

export function certificates(): Certificates {
  made ??= makeAll();
  return made;
}
