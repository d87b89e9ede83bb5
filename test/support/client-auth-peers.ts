// Foreign programs that ask for a certificate, or show theirs, when the handshake is over.
import { execFileSync } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { certificates, openssl } from './certificates.ts';
import { Child } from './child.ts';
import type { Listening } from './peers.ts';
import { freePort } from './ports.ts';
import { until } from './wait.ts';

// ---------------------------------------------------------------------------------------------------------------------
// Apache

export const apacheModules = '/usr/lib/apache2/modules';
export const hasApacheModules = (): boolean => existsSync(join(apacheModules, 'mod_ssl.so'));

const apacheFolders: string[] = [];

function removeApacheFolders(): void {
  for (const folder of apacheFolders) rmSync(folder, { recursive: true, force: true });
}

/** Gives `/` to everybody, and `/secret/` to who shows a certificate of the CA, for which it asks then. */
export async function apache(version: 'TLSv1.2' | 'TLSv1.3'): Promise<Listening> {
  const { server, ca } = certificates();
  const root = mkdtempSync(join(tmpdir(), 'system-tls-apache-'));
  if (apacheFolders.length === 0) process.once('exit', removeApacheFolders);
  apacheFolders.push(root);
  // Begun by root, it serves as nobody.
  chmodSync(root, 0o755);
  for (const [name, content] of [
    ['.', 'for all'],
    ['secret', 'for few'],
  ] as const) {
    mkdirSync(join(root, 'htdocs', name), { recursive: true });
    writeFileSync(join(root, 'htdocs', name, 'index.html'), content);
  }
  const port = await freePort();
  const configuration = join(root, 'httpd.conf');
  writeFileSync(
    configuration,
    [
      `ServerRoot ${root}`,
      `PidFile ${root}/pid`,
      'ServerName localhost',
      `Listen 127.0.0.1:${port}`,
      ...['mpm_event', 'authz_core', 'ssl', 'dir'].map(
        name => `LoadModule ${name}_module ${apacheModules}/mod_${name}.so`,
      ),
      'User nobody',
      'Group nogroup',
      `ErrorLog ${root}/error.log`,
      `DocumentRoot ${root}/htdocs`,
      'DirectoryIndex index.html',
      'SSLEngine on',
      `SSLProtocol ${version}`,
      `SSLCertificateFile ${server.certFile}`,
      `SSLCertificateKeyFile ${server.keyFile}`,
      `SSLCACertificateFile ${ca.certFile}`,
      '<Location /secret>',
      'SSLVerifyClient require',
      '</Location>',
      '',
    ].join('\n'),
  );
  // One process: what is ended is the server.
  const peer = new Child('apache2', ['-X', '-f', configuration]);
  await until(() => existsSync(join(root, 'pid')), 'Apache to begin');
  return { peer, port };
}

// ---------------------------------------------------------------------------------------------------------------------
// GnuTLS

/** Sends back each line, and obeys the line `**REAUTH**`. */
export async function gnutlsServer(args: readonly string[] = []): Promise<Listening> {
  const { server, ca } = certificates();
  const port = await freePort();
  const identity = [
    `--x509certfile=${server.certFile}`,
    `--x509keyfile=${server.keyFile}`,
    `--x509cafile=${ca.certFile}`,
  ];
  const peer = new Child('gnutls-serv', ['--echo', `--port=${port}`, ...identity, ...args]);
  await peer.printed(/listening on IPv4 .*done/);
  return { peer, port };
}

// ---------------------------------------------------------------------------------------------------------------------
// NSS, which keeps certificates and keys in a database

let database: string | undefined;

/** The certificates of the tests, under the names ca, server and client. */
function nssDatabase(): string {
  if (database !== undefined) return database;
  const { ca, server, client, folder } = certificates();
  const place = join(folder, 'nss');
  mkdirSync(place);
  database = `sql:${place}`;
  const run = (program: string, ...args: string[]): void => {
    execFileSync(program, [...args, '-d', `sql:${place}`], { stdio: 'pipe' });
  };
  run('certutil', '-N', '--empty-password');
  run('certutil', '-A', '-n', 'ca', '-t', 'CT,C,C', '-i', ca.certFile);
  for (const [name, identity] of Object.entries({ server, client })) {
    const file = join(place, `${name}.p12`);
    const files = ['-in', identity.certFile, '-inkey', identity.keyFile];
    openssl('pkcs12', '-export', ...files, '-name', name, '-out', file, '-passout', 'pass:');
    run('pk12util', '-i', file, '-W', '');
  }
  return database;
}

/** Answers each request with what it got, when it has looked at the client's certificate. */
export async function selfserv(args: readonly string[]): Promise<Listening> {
  const port = await freePort();
  const peer = new Child('selfserv', ['-p', String(port), '-d', nssDatabase(), '-n', 'server', '-v', ...args]);
  await peer.printed(/About to call accept/);
  return { peer, port };
}

/** Sends what it is told, and prints what it gets. */
export function tstclnt(port: number, args: readonly string[]): Child {
  return new Child('tstclnt', ['-h', 'localhost', '-p', String(port), '-d', nssDatabase(), '-4', '-v', ...args]);
}

// ---------------------------------------------------------------------------------------------------------------------
// Python

const pythonSource = `
import socket, ssl, sys
port, ca, cert, key, offer = int(sys.argv[1]), *sys.argv[2:6]
context = ssl.create_default_context(cafile=ca)
context.post_handshake_auth = offer == 'offer'
if cert != '':
    context.load_cert_chain(cert, key)
with socket.create_connection(('127.0.0.1', port)) as plain:
    with context.wrap_socket(plain, server_hostname='localhost') as s:
        while True:
            data = s.recv(1000)
            if not data:
                break
            print('got', data.decode())
            s.sendall(data)
print('closed')
`;

/** Sends back what it gets; with `offer` it is willing to show a certificate later. */
export function pythonClient(port: number, certificate: boolean, offer: boolean): Child {
  const { ca, client, folder } = certificates();
  const file = join(folder, 'later.py');
  writeFileSync(file, pythonSource);
  const identity = certificate ? [client.certFile, client.keyFile] : ['', ''];
  return new Child('python3', ['-u', file, String(port), ca.certFile, ...identity, offer ? 'offer' : 'keep']);
}
