// Scripts that use the package, in processes of their own that end in one way or another.
import assert from 'node:assert/strict';
import { certificates } from './certificates.ts';
import { type Child, nodeScript } from './child.ts';
import { within } from './wait.ts';

const preamble = `
  import { readFileSync } from 'node:fs';
  import { Bio, connect, createServer, IoPool, Ssl, SslContext } from 'system-tls';
  const [cert, key, ca] = process.argv.slice(1, 4).map(file => readFileSync(file, 'utf8'));
  const ignore = () => {};
  const io = process.env.SYSTEM_TLS_TEST_IO === 'threads' ? new IoPool({ threads: 2 }) : undefined;
`;

/** With the package, the server's `cert` and `key`, `ca`, `io` and a function that does nothing, `ignore`. */
export function run(code: string, flags: readonly string[] = []): Child {
  const { server, ca } = certificates();
  return nodeScript(preamble + code, { args: [server.certFile, server.keyFile, ca.certFile], flags });
}

export async function endsWith(child: Child, code: number, what: string): Promise<void> {
  const exit = await within(child.exited, `${what} to end`);
  assert.deepEqual(exit, { code, signal: null }, `${what}:\n${child.output}`);
}
