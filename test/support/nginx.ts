// nginx, as the server of a client of ours and as the client of a server of ours.
import { execFileSync } from 'node:child_process';
import { mkdtempSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import http from 'node:http';
import { join } from 'node:path';
import { certificates } from './certificates.ts';
import { Child } from './child.ts';
import type { Listening } from './peers.ts';
import { freePort } from './ports.ts';
import { within } from './wait.ts';

/** As configure of nginx names them: `http_v2`, `http_ssl`. */
export function hasNginxModule(name: string): boolean {
  // It prints them as if they were an error.
  return execFileSync('sh', ['-c', 'nginx -V 2>&1'], { encoding: 'utf8' }).includes(`--with-${name}_module`);
}

// nginx keeps what it cannot hold in memory in folders that an ordinary user may not write to.
const ownFolders = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map(name => `${name}_temp_path ${name};`);

/**
 * nginx with the servers that `serversAt` writes for a port of 127.0.0.1. What happens to its connections is in its output, since it
 * logs them from `info` on.
 */
export async function nginx(serversAt: (port: number) => string): Promise<Listening> {
  const folder = mkdtempSync(join(certificates().folder, 'nginx-'));
  const port = await freePort();
  const configuration = [
    'daemon off;',
    // One process: what is ended is the server.
    'master_process off;',
    'error_log stderr info;',
    'pid pid;',
    'events {}',
    'http {',
    'access_log off;',
    'default_type text/plain;',
    ...ownFolders,
    serversAt(port),
    '}',
  ];
  await writeFile(join(folder, 'nginx.conf'), configuration.join('\n'));
  const peer = new Child('nginx', ['-p', folder, '-c', 'nginx.conf', '-e', 'stderr']);
  // By then it listens.
  await peer.printed(/using the "\w+" event method/);
  return { peer, port };
}

/** nginx logs them by their numbers. */
export const alerts = { handshakeFailure: 40, accessDenied: 49, internalError: 80, badStatusResponse: 113 } as const;

/** An alert has come to nginx. */
export const alerted = (peer: Child, alert: number): Promise<unknown> =>
  peer.printed(new RegExp(`SSL alert number ${alert}\\b`));

export interface Proxied {
  readonly status: number | undefined;
  readonly body: string;
}

/** Asks nginx, which asks whom its configuration names. */
export async function ask(port: number, path = '/', signal?: AbortSignal): Promise<Proxied> {
  const response = await within(
    new Promise<http.IncomingMessage>((resolve, reject) => {
      http.get({ host: '127.0.0.1', port, path, agent: false, signal }, resolve).on('error', reject);
    }),
    'the response of nginx',
  );
  const chunks: Buffer[] = [];
  for await (const chunk of response) chunks.push(chunk as Buffer);
  return { status: response.statusCode, body: String(Buffer.concat(chunks)) };
}
