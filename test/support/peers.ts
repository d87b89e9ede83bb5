// Foreign peers: other programs that speak TLS with us.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { certificates, type Identity } from './certificates.ts';
import { Child } from './child.ts';
import { sleep } from './wait.ts';

export interface Listening {
  readonly peer: Child;
  readonly port: number;
}

/** How long s_client and s_server must be left alone between two lines, else they take the second for data. */
const pause = 500;

/** One command letter of s_client or s_server, on its own line. */
export async function command(peer: Child, letter: string): Promise<void> {
  await sleep(pause);
  peer.write(`${letter}\n`);
}

const identityArgs = (identity: Identity) => ['-cert', identity.certFile, '-key', identity.keyFile];

export async function opensslServer(
  args: readonly string[] = [],
  identity = certificates().server,
): Promise<Listening> {
  const peer = new Child('openssl', [
    ...['s_server', '-accept', '127.0.0.1:0', '-msg', ...identityArgs(identity), ...args],
  ]);
  const [, port] = await peer.printed(/ACCEPT \S+:(\d+)/);
  return { peer, port: Number(port) };
}

export function opensslClient(port: number, args: readonly string[] = []): Child {
  const trust = ['-CAfile', certificates().ca.certFile, '-verify_return_error', '-servername', 'localhost'];
  return new Child('openssl', ['s_client', '-connect', `127.0.0.1:${port}`, '-msg', ...trust, ...args]);
}

export function gnutlsClient(port: number, args: readonly string[] = []): Child {
  return new Child('gnutls-cli', [
    ...['--inline-commands', `--x509cafile=${certificates().ca.certFile}`, `--port=${port}`, ...args, 'localhost'],
  ]);
}

function python(name: string, source: string, args: readonly string[]): Child {
  const file = join(certificates().folder, `${name}.py`);
  writeFileSync(file, source);
  return new Child('python3', ['-u', file, ...args]);
}

const pythonClientSource = `
import socket, ssl, sys
port, ca, version = int(sys.argv[1]), sys.argv[2], sys.argv[3]
context = ssl.create_default_context(cafile=ca)
context.minimum_version = context.maximum_version = getattr(ssl.TLSVersion, version)
with socket.create_connection(('127.0.0.1', port)) as plain:
    with context.wrap_socket(plain, server_hostname='localhost') as s:
        print('version', s.version())
        s.sendall(b'hello from python')
        print('got', s.recv(1000).decode())
        s.sendall(b'x' * 300000)
        total = 0
        while total < 300000:
            total += len(s.recv(65536))
        print('echoed', total)
        s.unwrap()
        print('closed cleanly')
`;

/** Sends a line and 300,000 bytes, wants both back, then closes with close_notify both ways. */
export function pythonClient(port: number, version: 'TLSv1_2' | 'TLSv1_3'): Child {
  return python('client', pythonClientSource, [String(port), certificates().ca.certFile, version]);
}

const pythonServerSource = `
import socket, ssl, sys
cert, key, ca, mode = sys.argv[1:5]
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(cert, key)
if mode == 'pha':
    context.post_handshake_auth = True
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_verify_locations(ca)
with socket.create_server(('127.0.0.1', 0)) as listener:
    print('listening', listener.getsockname()[1])
    plain, _ = listener.accept()
    with context.wrap_socket(plain, server_side=True) as s:
        print('version', s.version())
        while True:
            data = s.recv(65536)
            if not data:
                break
            if mode == 'pha' and data == b'authenticate':
                s.verify_client_post_handshake()
                s.sendall(b'asked')
                continue
            if mode == 'pha' and data == b'who':
                s.sendall(str(s.getpeercert()['subject']).encode())
                continue
            s.sendall(data)
        try:
            s.unwrap()
        except (ssl.SSLError, OSError) as error:
            print('unwrap', error)
        print('closed cleanly')
`;

/** Sends back what it gets. In mode 'pha' it asks for a certificate when told to. */
export async function pythonServer(mode: 'echo' | 'pha' = 'echo'): Promise<Listening> {
  const { server, ca } = certificates();
  const peer = python('server', pythonServerSource, [server.certFile, server.keyFile, ca.certFile, mode]);
  const [, port] = await peer.printed(/listening (\d+)/);
  return { peer, port: Number(port) };
}
