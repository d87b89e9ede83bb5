// Turns what the dynamic loader says into what the operator can do about it.

/** A file that was tried and what came of it. */
export interface Failure {
  file: string;
  error: unknown;
}

interface Diagnosis {
  cause: string;
  cure: string;
}

interface KnownFailure {
  pattern: RegExp;
  diagnose(match: RegExpExecArray): Diagnosis;
}

const installOpenssl =
  'install OpenSSL: `apt-get install libssl3` (Debian 12), `apt-get install libssl3t64` (Debian 13), ' +
  '`dnf install openssl-libs` (Fedora), `apk add libssl3 libcrypto3` (Alpine), `brew install openssl@3` (macOS)';

const buildHere =
  'build the addon on this machine: in a clone of the repository run `npm start`, which names any missing tool';

const known: KnownFailure[] = [
  {
    pattern:
      /(lib(?:ssl|crypto)[.\w]*): cannot open shared object file|Error loading shared library (lib(?:ssl|crypto)[.\w]*)|Library not loaded: (\S*lib(?:ssl|crypto)\S*)/,
    diagnose: match => ({
      cause: `this system has no ${match[1] ?? match[2] ?? match[3]}`,
      cure: installOpenssl,
    }),
  },
  {
    pattern: /version [`'](OPENSSL_[\d.]+)' not found/,
    diagnose: match => ({
      cause: `the system's OpenSSL is older than the one the addon was built for (it lacks ${match[1]})`,
      cure: `update the system's OpenSSL, or ${buildHere}`,
    }),
  },
  {
    pattern: /version [`'](GLIBC(?:XX)?_[\d.]+|CXXABI_[\d.]+)' not found/,
    diagnose: match => ({
      cause: `the system's C or C++ library is older than the one the addon was built for (it lacks ${match[1]})`,
      cure: `use a newer release of the distribution, or ${buildHere}`,
    }),
  },
  {
    pattern: /invalid ELF header|wrong ELF class|incompatible architecture|Exec format error/,
    diagnose: () => ({
      cause: `the file was built for another processor or system than ${process.platform}-${process.arch}`,
      cure: 'remove node_modules and install again on this machine',
    }),
  },
  {
    pattern: /ld-musl|libc\.musl|__\w+_chk: symbol not found/,
    diagnose: () => ({
      cause: 'the file was built for another C library (glibc against musl)',
      cure: 'remove node_modules and install again on this machine',
    }),
  },
  {
    pattern: /RTLD_DEEPBIND.*(?:sanitizer|incompatible)|incompatible with RTLD_DEEPBIND/i,
    diagnose: () => ({
      cause: 'AddressSanitizer refuses RTLD_DEEPBIND',
      cure: 'use the sanitizers with the native tests, which run without node (see CONTRIBUTING.md)',
    }),
  },
  {
    pattern: /Module did not self-register|undefined symbol: (napi|node_api)_|uv_/,
    diagnose: () => ({
      cause: `this node (${process.version}) lacks a part of Node-API or libuv that the addon needs`,
      cure: 'use Node 20.19 or newer',
    }),
  },
  {
    pattern: /cannot open shared object file: Permission denied|failed to map segment|Operation not permitted/,
    diagnose: () => ({
      cause: 'the system does not allow the file to be executed',
      cure: 'see that node_modules is readable and not on a file system that is mounted noexec',
    }),
  },
];

/** The addon could not be loaded. The message names each cause with its cure. */
export class LoadError extends Error {
  readonly code: string = 'ERR_SYSTEM_TLS_LOAD';
  override readonly name: string = 'LoadError';
  /** What was tried, in order. */
  readonly tried: readonly string[];

  constructor(message: string, tried: readonly string[], cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.tried = tried;
  }
}

function diagnose(error: unknown): Diagnosis | undefined {
  const text = error instanceof Error ? error.message : String(error);
  for (const { pattern, diagnose } of known) {
    const match = pattern.exec(text);
    if (match) return diagnose(match);
  }
  return undefined;
}

/** The addon's own refusals know their cause and cure better than any guess. */
function isRefusal(error: unknown): error is Error {
  return error instanceof Error && 'code' in error && String(error.code).startsWith('ERR_SYSTEM_TLS_');
}

function lines({ file, error }: Failure): string[] {
  const diagnosis = diagnose(error) ?? { cause: 'the cause is not known to this package', cure: buildHere };
  const said = error instanceof Error ? error.message : String(error);
  return [`- ${file}`, `  said:  ${said}`, `  cause: ${diagnosis.cause}`, `  cure:  ${diagnosis.cure}`];
}

/** The one error to throw when none of the files could be loaded. */
export function describeLoadFailure(failures: readonly Failure[], root: string): Error {
  const refusal = failures.map(({ error }) => error).find(isRefusal);
  if (refusal) return refusal;
  const system = `${process.platform}-${process.arch}`;
  if (failures.length === 0) {
    return new LoadError(
      [
        `system-tls has no binary for ${system} (node ${process.version})`,
        `  looked in: ${root}build/Release, ${root}build/Debug, ${root}prebuilds/${system}`,
        `  cause: the package holds no prebuilt file for this platform and C library, and none was built here`,
        `  cure:  ${buildHere}`,
      ].join('\n'),
      [],
    );
  }
  const heading = `system-tls could not be loaded on ${system} (node ${process.version})`;
  return new LoadError(
    [heading, ...failures.flatMap(lines)].join('\n'),
    failures.map(({ file }) => file),
    failures[0]?.error,
  );
}
