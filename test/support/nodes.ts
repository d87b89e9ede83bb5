// The versions of node that the package is tried on, and how a script is run on one of them.
import { execFile, execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { needs } from './capabilities.ts';
import { packageFolder } from './child.ts';
import { patience } from './wait.ts';

export interface Node {
  readonly name: string;
  /** The program; undefined: it cannot be had here. */
  program(): string | undefined;
}

let node24: string | null | undefined;

function fetchNode24(): string | undefined {
  if (node24 === undefined) {
    try {
      // `npm run test-openssl` names one that uses the same OpenSSL as this node.
      const named = process.env['SYSTEM_TLS_NODE_24'];
      const program =
        named ??
        execFileSync(process.execPath, [join(packageFolder, 'scripts/fetch-node.mjs'), '24'], {
          encoding: 'utf8',
          stdio: ['ignore', 'pipe', 'ignore'],
        }).trim();
      // It may be there and not run: made for another C library, for instance.
      execFileSync(program, ['--version'], { stdio: 'ignore' });
      node24 = program;
    } catch {
      node24 = null;
    }
  }
  return node24 ?? undefined;
}

/** This one, and one whose own OpenSSL is of another version than most systems': there a mix-up shows. */
export const nodes: readonly Node[] = [
  { name: `this node, ${process.version}`, program: () => process.execPath },
  { name: 'node 24', program: fetchNode24 },
];

/** The program; skips the test where there is none. */
export function requireNode(test: Mocha.Context, node: Node): string {
  const program = node.program();
  needs(test, program !== undefined, `${node.name} could not be fetched or does not run here`);
  return program as string;
}

export interface Run {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface RunOptions {
  readonly env?: NodeJS.ProcessEnv;
  readonly args?: readonly string[];
}

/** Runs a module's text in the folder of the package, where it can import 'system-tls'. */
export function runModule(program: string, text: string, { env, args = [] }: RunOptions = {}): Promise<Run> {
  return new Promise(resolve => {
    const child = execFile(
      program,
      ['--input-type=module', '--eval', text, '--', ...args],
      { cwd: packageFolder, env: { ...process.env, ...env }, timeout: 2 * patience, maxBuffer: 64 * 1024 * 1024 },
      (_error, stdout, stderr) => resolve({ code: child.exitCode, signal: child.signalCode, stdout, stderr }),
    );
  });
}

/** The same; the last line that it prints is JSON. */
export async function evaluate<T>(program: string, text: string, options: RunOptions = {}): Promise<T> {
  const run = await runModule(program, text, options);
  const last = run.stdout.trim().split('\n').at(-1) ?? '';
  if (run.code !== 0 || last === '') {
    throw new Error(`code ${run.code}, signal ${run.signal}\n${run.stdout}\n${run.stderr}`);
  }
  return JSON.parse(last) as T;
}
