// Child processes: what they print, what they are told, how they end.
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import type { Socket } from 'node:net';
import { dirname, join } from 'node:path';
import type { Readable, Writable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { patience } from './wait.ts';

export interface Exit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

const running = new Set<Child>();

export interface ChildOptions {
  readonly env?: NodeJS.ProcessEnv;
  readonly cwd?: string;
  /** Becomes file descriptor 3 of the child. */
  readonly handOver?: Socket | number;
}

export class Child {
  readonly name: string;
  readonly exited: Promise<Exit>;
  readonly #process: ChildProcess;
  readonly #watchers = new Set<() => void>();
  #output = '';
  #ended = false;

  constructor(command: string, args: readonly string[], options: ChildOptions = {}) {
    this.name = command;
    this.#process = spawn(command, args, {
      stdio: ['pipe', 'pipe', 'pipe', ...(options.handOver === undefined ? [] : [options.handOver])],
      cwd: options.cwd ?? packageFolder,
      env: { ...process.env, ...options.env },
    });
    for (const stream of [this.#process.stdout, this.#process.stderr] as Readable[]) {
      stream.setEncoding('utf8').on('data', (text: string) => this.#took(text));
    }
    // A peer may go while we write to it; how it ended is what counts.
    this.#input.on('error', () => {});
    this.exited = new Promise((resolve, reject) => {
      this.#process.once('error', reject);
      this.#process.once('close', (code, signal) => {
        running.delete(this);
        this.#ended = true;
        this.#took('');
        resolve({ code, signal });
      });
    });
    this.exited.catch(error => this.#took(`cannot start ${command}: ${error.message}`));
    running.add(this);
  }

  get #input(): Writable {
    return this.#process.stdin as Writable;
  }

  get pid(): number | undefined {
    return this.#process.pid;
  }

  /** Everything from stdout and stderr so far, as it came. */
  get output(): string {
    return this.#output;
  }

  write(text: string | Uint8Array): void {
    this.#input.write(text);
  }

  endInput(): void {
    this.#input.end();
  }

  /** The match of `pattern` in what was printed from `from` on, as soon as it is there. */
  async printed(pattern: RegExp, { from = 0, within = patience } = {}): Promise<RegExpExecArray> {
    return new Promise((resolve, reject) => {
      const give = (settle: () => void) => {
        clearTimeout(timer);
        this.#watchers.delete(look);
        settle();
      };
      const complain = (what: string) =>
        give(() => reject(new Error(`${this.name} ${what} ${pattern}; it printed:\n${this.#output}`)));
      const look = () => {
        const match = pattern.exec(this.#output.slice(from));
        if (match !== null) give(() => resolve(match));
        else if (this.#ended) complain('ended without printing');
      };
      const timer = setTimeout(() => complain(`did not within ${within} ms print`), within);
      this.#watchers.add(look);
      look();
    });
  }

  signal(name: NodeJS.Signals): void {
    this.#process.kill(name);
  }

  async stop(): Promise<Exit> {
    if (!this.#ended) this.#process.kill('SIGKILL');
    return this.exited;
  }

  #took(text: string): void {
    this.#output += text;
    for (const look of [...this.#watchers]) look();
  }
}

function findPackage(folder: string): string {
  try {
    const parsed = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as { name?: string };
    if (parsed.name === 'system-tls') return folder;
  } catch {
    // Not here.
  }
  if (existsSync(join(folder, 'node_modules/system-tls'))) return folder;
  const parent = dirname(folder);
  if (parent === folder) throw new Error('the tests are neither inside the package nor beside an installed one');
  return findPackage(parent);
}

/** The repository, or where the package is installed: a script that runs there may import 'system-tls'. */
export const packageFolder = findPackage(dirname(fileURLToPath(import.meta.url)));

export interface ScriptOptions extends ChildOptions {
  readonly flags?: readonly string[];
  readonly args?: readonly string[];
}

/** Runs the text of an ES module with this node; its arguments begin at process.argv[1]. */
export function nodeScript(source: string, { flags = [], args = [], ...options }: ScriptOptions = {}): Child {
  return new Child(process.execPath, [...flags, '--input-type=module', '--eval', source, '--', ...args], options);
}

export async function stopChildren(): Promise<void> {
  await Promise.allSettled([...running].map(child => child.stop()));
}

// Nothing outlives its test.
afterEach('stops child processes', stopChildren);
