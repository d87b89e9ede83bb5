#!/usr/bin/env node
// The command `system-tls`. What loads the addon is imported late: where it cannot be loaded, this still says why.
import { parseArgs } from 'node:util';
import type { Report } from './report.ts';

const usage = `usage: system-tls info [--json]

  info      which binary and which OpenSSL this machine gives the package, and how they are set up
  --json    the same for programs
  --help    this text

SYSTEM_TLS_OPENSSL=3|4|/folder chooses between several OpenSSL.
Exit status: 0 it works, 1 it cannot be loaded, 2 wrong arguments.
`;

interface Asked {
  readonly command: string | undefined;
  readonly json: boolean;
  readonly help: boolean;
}

/** Undefined: said what is wrong. */
function asked(args: readonly string[]): Asked | undefined {
  try {
    const { values, positionals } = parseArgs({
      args: [...args],
      options: { json: { type: 'boolean', default: false }, help: { type: 'boolean', short: 'h', default: false } },
      allowPositionals: true,
    });
    const [command, ...rest] = positionals;
    if (rest.length > 0) throw new Error(`'${rest.join(' ')}' is too much`);
    if (command !== undefined && command !== 'info') throw new Error(`there is no command '${command}'`);
    return { command, json: values.json, help: values.help };
  } catch (error) {
    process.stderr.write(`system-tls: ${(error as Error).message}\n\n${usage}`);
    return undefined;
  }
}

function lines(report: Report): string {
  const { openssl, isolated, features, trust, policy, providers, threads, node } = report;
  const has = (wanted: boolean) =>
    Object.entries(features)
      .filter(([, present]) => present === wanted)
      .map(([name]) => name)
      .join(', ') || 'nothing';
  const rows: readonly (readonly [string, string])[] = [
    ['package', report.package],
    ['node', `${node.version}, ${node.platform}, with OpenSSL ${node.openssl} of its own, which is not used`],
    ['binary', report.binary],
    ['OpenSSL', `${openssl.version}; the binary was made with the headers of ${openssl.headers}`],
    ['libssl', openssl.libssl],
    ['libcrypto', openssl.libcrypto],
    ['isolated', `${isolated.proved ? 'yes' : 'no'}: ${isolated.how}`],
    ['has', has(true)],
    ['has not', has(false)],
    ['trust', `${trust.certificates} certificates: ${trust.where}`],
    ['configuration', policy.configuration ?? 'none'],
    ['policy', `security level ${policy.securityLevel}, ${policy.ciphers.length} ciphers (--json names them)`],
    ['providers', `${providers.join(', ')}; modules in ${openssl.modulesDirectory}`],
    [
      'threads',
      `${threads.processors} processors, ${threads.allowed} of them for this process` +
        (threads.environment === null ? '' : `; SYSTEM_TLS_IO_THREADS=${threads.environment}`),
    ],
  ];
  return rows.map(([name, value]) => `${name.padEnd(14)}${value}\n`).join('');
}

function failure(error: unknown): object {
  const { name, code, message, tried } = error as { name: string; code?: string; message: string; tried?: unknown };
  return { error: { name, code, message, tried } };
}

async function info(json: boolean): Promise<number> {
  let report: Report;
  try {
    report = (await import('./report.ts')).report();
  } catch (error) {
    if (json) process.stdout.write(`${JSON.stringify(failure(error), null, 2)}\n`);
    else process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
    return 1;
  }
  process.stdout.write(json ? `${JSON.stringify(report, null, 2)}\n` : lines(report));
  return 0;
}

async function main(args: readonly string[]): Promise<number> {
  const wanted = asked(args);
  if (wanted === undefined) return 2;
  if (wanted.help) {
    process.stdout.write(usage);
    return 0;
  }
  if (wanted.command === undefined) {
    process.stderr.write(usage);
    return 2;
  }
  return info(wanted.json);
}

process.exitCode = await main(process.argv.slice(2));
