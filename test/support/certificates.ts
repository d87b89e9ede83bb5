// Certificates for the tests, made by the openssl program once in a run. Each process has its own copy, where it may put other files.
import { execFileSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
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
  /** localhost, but its time has not begun. */
  readonly notYetValid: Identity;
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

  make(
    name: string,
    subject: string,
    extensions: readonly string[],
    issuer?: Identity,
    key: readonly string[] = ecKey,
  ): Identity {
    const [certFile, keyFile] = this.#files(name);
    openssl(
      ...['req', '-x509', ...key, '-nodes', '-keyout', keyFile, '-out', certFile, '-days', '30', '-subj', subject],
      ...(issuer === undefined ? [] : ['-CA', issuer.certFile, '-CAkey', issuer.keyFile]),
      ...extensions.flatMap(extension => ['-addext', extension]),
    );
    return read(certFile, keyFile);
  }

  /** Valid from `start` to `end`. Of OpenSSL's programs only `ca` takes any dates in every version. */
  makeDated(name: string, extensions: readonly string[], issuer: Identity, start: Date, end: Date): Identity {
    const [certFile, keyFile] = this.#files(name);
    const own = join(this.folder, `${name}.ca`);
    const [config, request] = [join(own, 'config'), join(own, 'request.csr')];
    mkdirSync(own);
    writeFileSync(join(own, 'index.txt'), '');
    writeFileSync(config, caConfig(own, extensions));
    openssl('req', '-new', ...ecKey, '-nodes', '-keyout', keyFile, '-out', request, '-subj', '/CN=localhost');
    openssl(
      ...['ca', '-batch', '-config', config, '-cert', issuer.certFile, '-keyfile', issuer.keyFile, '-notext'],
      ...['-in', request, '-out', certFile, '-startdate', generalizedTime(start), '-enddate', generalizedTime(end)],
    );
    return read(certFile, keyFile);
  }

  #files(name: string): [certFile: string, keyFile: string] {
    return [join(this.folder, `${name}.pem`), join(this.folder, `${name}.key`)];
  }
}

const caConfig = (folder: string, extensions: readonly string[]): string => `[ca]
default_ca = own
[own]
database = ${folder}/index.txt
new_certs_dir = ${folder}
rand_serial = yes
default_md = sha256
policy = any
x509_extensions = leaf
[any]
commonName = supplied
[leaf]
${extensions.join('\n')}
`;

/** As in ASN.1: YYYYMMDDHHMMSSZ. */
const generalizedTime = (date: Date): string => date.toISOString().replace(/[-:T]|\.\d+/g, '');

const daysAgo = (days: number): Date => new Date(Date.now() - days * 86_400_000);

function read(certFile: string, keyFile: string): Identity {
  return { cert: readFileSync(certFile, 'utf8'), key: readFileSync(keyFile, 'utf8'), certFile, keyFile };
}

/** In a folder that is there and empty. */
export function makeCertificates(folder: string): void {
  const maker = new Maker(folder);
  const ca = maker.make('ca', '/CN=Test CA', authority);
  const otherCa = maker.make('other-ca', '/CN=Other CA', authority);
  const forServer = [leaf, localNames, 'extendedKeyUsage=serverAuth'];
  const forClient = [leaf, 'extendedKeyUsage=clientAuth'];
  const intermediate = maker.make('intermediate', '/CN=Intermediate CA', authority, ca);
  maker.make('deep-server', '/CN=localhost', forServer, intermediate);
  maker.make('server', '/CN=localhost', forServer, ca);
  maker.make('server-rsa', '/CN=localhost', forServer, ca, rsaKey);
  maker.make('client', '/CN=client', forClient, ca);
  maker.make('wrong-host', '/CN=elsewhere.example', [leaf, 'subjectAltName=DNS:elsewhere.example'], ca);
  maker.makeDated('expired', [leaf, localNames], ca, daysAgo(2), daysAgo(1));
  maker.makeDated('not-yet-valid', [leaf, localNames], ca, daysAgo(-9000), daysAgo(-9365));
  maker.make('self-signed', '/CN=localhost', [leaf, localNames]);
  maker.make('stranger', '/CN=stranger', forClient, otherCa);
}

function readAll(folder: string): Certificates {
  const identity = (name: string): Identity => read(join(folder, `${name}.pem`), join(folder, `${name}.key`));
  const [intermediate, deep] = [identity('intermediate'), identity('deep-server')];
  return {
    folder,
    ca: identity('ca'),
    otherCa: identity('other-ca'),
    server: identity('server'),
    serverRsa: identity('server-rsa'),
    client: identity('client'),
    wrongHost: identity('wrong-host'),
    expired: identity('expired'),
    notYetValid: identity('not-yet-valid'),
    selfSigned: identity('self-signed'),
    stranger: identity('stranger'),
    intermediate,
    deepServer: { ...deep, cert: deep.cert + intermediate.cert },
  };
}

let made: Certificates | undefined;

export function certificates(): Certificates {
  if (made !== undefined) return made;
  const folder = mkdtempSync(join(tmpdir(), 'system-tls-test-'));
  process.on('exit', () => rmSync(folder, { recursive: true, force: true }));
  // `npm test` has made them for all its processes.
  const common = process.env['SYSTEM_TLS_TEST_CERTIFICATES'];
  if (common === undefined) makeCertificates(folder);
  else cpSync(common, folder, { recursive: true });
  made = readAll(folder);
  return made;
}

export interface Issued {
  /** `/CN=localhost` if absent. */
  readonly subject?: string;
  /** Of openssl-req(1): `DNS:localhost,IP:::1`; '' for none. */
  readonly names?: string;
  /** Arguments of openssl-req(1) that make the key. */
  readonly key?: readonly string[];
}

/** A leaf of the CA for one test; `name` is that of its files. */
export function issue(name: string, { subject = '/CN=localhost', names = '', key = ecKey }: Issued = {}): Identity {
  const { folder, ca } = certificates();
  const extensions = names === '' ? [leaf] : [leaf, `subjectAltName=${names}`];
  return new Maker(folder).make(name, subject, extensions, ca, key);
}
