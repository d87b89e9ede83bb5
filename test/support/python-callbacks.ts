// Python's ssl as the peer of a handshake that asks functions; see test/fixtures/callbacks.py.
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { certificates, type Identity } from './certificates.ts';
import { Child, packageFolder } from './child.ts';

export type PythonVersion = 'TLSv1_2' | 'TLSv1_3';

interface Common {
  readonly version: PythonVersion;
  readonly identity?: Identity;
  readonly protocols?: readonly string[];
  readonly psk?: { readonly identity: string; readonly key: Buffer };
}

export interface PythonClientSettings extends Common {
  /** Verifies the server. */
  readonly verifies?: boolean;
  /** Offers post-handshake authentication. */
  readonly later?: boolean;
}

export interface PythonServerSettings extends Omit<Common, 'identity'> {
  /** Default: that of localhost; null: none. */
  readonly identity?: Identity | null;
  /** For a certificate of the CA. */
  readonly asks?: 'at-once' | 'later';
  readonly names?: Readonly<Record<string, Identity>>;
  /** What a name is answered with, instead of a handshake: numbers. */
  readonly alerts?: Readonly<Record<string, number>>;
  readonly hint?: string;
}

/** What it says of a connection. */
export interface Met {
  readonly error?: string;
  /** Of the peer's certificate, '' without any. */
  readonly subject?: string;
  readonly protocol?: string | null;
  readonly version?: string;
  readonly resumed?: boolean;
  /** All that a client was sent. */
  readonly text?: string;
  /** That a server was told. */
  readonly name?: string;
}

const fixture = () => join(packageFolder, 'test/fixtures/callbacks.py');
const filesOf = ({ certFile, keyFile }: Identity) => [certFile, keyFile];

let psk: boolean | undefined;

export const needsPsk = 'python3 has no calls for pre-shared keys, which are there since 3.13';

export function pythonHasPsk(): boolean {
  psk ??= JSON.parse(execFileSync('python3', [fixture(), 'abilities'], { encoding: 'utf8' })).psk === true;
  return psk;
}

class Python {
  readonly peer: Child;
  #read = 0;

  constructor(role: string, { identity, psk, ...settings }: Common, more: Readonly<Record<string, unknown>>) {
    const given = {
      ...{ ...settings, ...more },
      ...(identity && { identity: filesOf(identity) }),
      ...(psk && { psk: [psk.identity, psk.key.toString('hex')] }),
    };
    this.peer = new Child('python3', ['-u', fixture(), role, JSON.stringify(given)]);
  }

  /** The next one that it speaks of. */
  async met(): Promise<Met> {
    const line = await this.peer.printed(/^(\{.*\})\n/m, { from: this.#read });
    this.#read += line.index + line[0].length;
    return JSON.parse(line[1] as string) as Met;
  }
}

export class PythonClient extends Python {
  constructor({ verifies, ...settings }: PythonClientSettings) {
    super('client', settings, verifies ? { ca: certificates().ca.certFile } : {});
  }

  /** Connects, and reads until the end. */
  visit(port: number, { name = 'localhost', resume = false } = {}): Promise<Met> {
    this.peer.write(`${JSON.stringify({ port, name, resume })}\n`);
    return this.met();
  }
}

export class PythonServer extends Python {
  readonly port: Promise<number>;

  constructor({ names = {}, asks, identity = certificates().server, ...settings }: PythonServerSettings) {
    const identities = Object.entries(names).map(([name, identity]) => [name, filesOf(identity)]);
    super(
      'server',
      { ...settings, ...(identity && { identity }) },
      { ...(asks && { asks, ca: certificates().ca.certFile }), names: Object.fromEntries(identities) },
    );
    this.port = this.peer.printed(/listening (\d+)\n/).then(([, port]) => Number(port));
  }
}
