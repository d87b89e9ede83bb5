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

/**
 * What becomes of one connection after the other to a server with `identity`, where the system trusts what `env` says: true, or
 * the error's code.
 *
 * @param trusts - the options of each, as they stand in a script
 */
export async function connectionsTrusting(
  trusts: string,
  { certFile, keyFile }: { readonly certFile: string; readonly keyFile: string },
  env: Readonly<Record<string, string>>,
): Promise<string[]> {
  const program = `
    import { connect, createServer } from 'system-tls';
    const [certFile, keyFile] = process.argv.slice(1);
    const server = createServer({ certFile, keyFile }, socket => socket.on('error', () => {}));
    await server.listen({ port: 0, host: '127.0.0.1' });
    const { port } = server.address();
    for (const trust of ${trusts}) {
      try {
        const socket = await connect({ port, host: '127.0.0.1', servername: 'localhost', ...trust });
        console.log(socket.authorized);
        socket.destroy();
      } catch ({ code }) {
        console.log(code);
      }
    }
    server.closeAllConnections();
    await server.close();
  `;
  const child = nodeScript(program, { args: [certFile, keyFile], env });
  await endsWith(child, 0, 'the script');
  return child.output.trim().split('\n');
}

/** A step of a life that is told in code. */
export type Step = readonly [name: string, code: string];

/** How a process may end, and with which code. */
export const endings = [
  ['process.exit()', 'process.exit(7);', 7],
  ['process.exit() a moment later', 'setTimeout(() => process.exit(7), 5);', 7],
  ['an uncaught error', 'setImmediate(() => { throw new Error("thrown on purpose"); });', 1],
] as const;

/** So many at a time as are of use on a small machine. */
export async function inTurn<T>(items: readonly T[], act: (item: T) => Promise<void>, together = 3): Promise<void> {
  const left = [...items];
  const work = async () => {
    for (let item = left.shift(); item !== undefined; item = left.shift()) await act(item);
  };
  await Promise.all(Array.from({ length: together }, work));
}

/** Each beginning of a life. */
export const prefixes = (steps: readonly Step[]) =>
  steps.map(([name], last) => ({
    name,
    code: steps
      .slice(0, last + 1)
      .map(([, code]) => code)
      .join('\n'),
  }));
