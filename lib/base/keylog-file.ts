// Secrets of connections in the NSS key log format, for Wireshark: only for those who ask for it by an option or a flag.
import { appendFileSync } from 'node:fs';

const flag = '--tls-keylog';

/** Owner only. */
const mode = 0o600;

export class KeylogFile {
  readonly #path: string;
  #usable = true;

  constructor(path: string) {
    this.#path = path;
    process.emitWarning(`Key logs make TLS connections insecure: secret key material is written to file ${path}`);
  }

  /** At once, so that what a process logs before it dies is there. Without a file connections go on. */
  write(line: string): void {
    if (!this.#usable) return;
    try {
      appendFileSync(this.#path, `${line}\n`, { mode });
    } catch (error) {
      this.#usable = false;
      process.emitWarning(`No more keys are logged: ${(error as Error).message}`);
    }
  }
}

const files = new Map<string, KeylogFile>();

/** One for each path: its warning comes once. */
export function keylogFile(path: string): KeylogFile {
  let file = files.get(path);
  if (file === undefined) {
    file = new KeylogFile(path);
    files.set(path, file);
  }
  return file;
}

/** The value of node's flag, from its command line or NODE_OPTIONS; the last one counts. */
export function flagValue(args: readonly string[]): string | undefined {
  const last = args.findLastIndex(arg => arg === flag || arg.startsWith(`${flag}=`));
  if (last < 0) return undefined;
  const value = args[last] === flag ? args[last + 1] : args[last]?.slice(flag.length + 1);
  return value === '' ? undefined : value;
}

/** As node divides NODE_OPTIONS: by blanks, but within double quotes, where a backslash takes the next letter as it is. */
export function dividedOptions(text: string): string[] {
  const words = text.match(/(?:"(?:\\.|[^"\\])*"|[^\s"])+/g) ?? [];
  return words.map(word => word.replace(/"((?:\\.|[^"\\])*)"/g, (_, quoted: string) => quoted.replace(/\\(.)/g, '$1')));
}

const nodeOptions = dividedOptions(process.env['NODE_OPTIONS'] ?? '');
const fromFlag = flagValue([...nodeOptions, ...process.execArgv]);

/** As node:tls does with `--tls-keylog=file`: all connections of the process. */
export const keylogOfProcess = (): KeylogFile | null => (fromFlag === undefined ? null : keylogFile(fromFlag));
