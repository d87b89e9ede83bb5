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

const installOpenssl4 =
  'none is needed where OpenSSL 3 is installed, for which there is a file too; else install either one, and leave ' +
  'SYSTEM_TLS_OPENSSL=4 out where there is no OpenSSL 4';

const buildHere =
  'build the addon on this machine: in a clone of the repository run `npm start`, which names any missing tool';

const known: KnownFailure[] = [
  {
    pattern: /loading addons is disabled/,
    diagnose: () => ({
      cause: 'node was told to load no addon: by --no-addons, or by the permission model',
      cure: 'leave --no-addons out, or give node --allow-addons beside --permission',
    }),
  },
  {
    pattern: /Access to this API has been restricted|ERR_ACCESS_DENIED/,
    diagnose: () => ({
      cause: 'the permission model of node does not let it read the package',
      cure: 'give node --allow-fs-read for the folder of the package, and --allow-addons',
    }),
  },
  {
    pattern:
      /(lib(?:ssl|crypto)[.\w]*): cannot open shared object file|Error loading shared library (lib(?:ssl|crypto)[.\w]*)|Library not loaded: (\S*lib(?:ssl|crypto)\S*)/,
    diagnose: match => ({
      cause: `this system has no ${match[1] ?? match[2] ?? match[3]}`,
      cure: /\.(?:so\.)?4\b/.test(match[0]) ? installOpenssl4 : installOpenssl,
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
    // The last one, glibc says of a file that is there.
    pattern:
      /invalid ELF header|wrong ELF class|incompatible architecture|Exec format error|\.node: cannot open shared object file: No such file/,
    diagnose: () => ({
      cause: `the file was built for another processor or system than ${process.platform}-${process.arch}`,
      cure: 'remove node_modules and install again on this machine',
    }),
  },
  {
    pattern: /ld-musl|libc\.musl|Error relocating .*: symbol not found|__\w+_chk: symbol not found/,
    diagnose: () => ({
      cause: 'the file was built for another C library (glibc against musl), or for a newer one',
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
    pattern: /Module did not self-register|undefined symbol: (?:napi_|node_api_|uv_)/,
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

/** What to run to know more. */
const more = '  more:  npx system-tls info';

/** One whose cause is known before anything is opened. */
export function loadFailure(what: string, cause: string, cure: string): LoadError {
  return new LoadError([what, `  cause: ${cause}`, `  cure:  ${cure}`, more].join('\n'), []);
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

/**
 * The one error to throw when none of the files could be loaded.
 *
 * @param major - of the OpenSSL that SYSTEM_TLS_OPENSSL asks for
 */
export function describeLoadFailure(failures: readonly Failure[], root: string, major?: number): Error {
  const refusal = failures.map(({ error }) => error).find(isRefusal);
  if (refusal) return refusal;
  const system = `${process.platform}-${process.arch}`;
  if (failures.length === 0) {
    return new LoadError(
      [
        `system-tls has no binary for ${system} (node ${process.version})`,
        `  looked in: ${root}build/Release, ${root}build/Debug, ${root}prebuilds/${system}`,
        major === undefined
          ? '  cause: the package holds no prebuilt file for this platform and C library, and none was built here'
          : `  cause: the package holds no prebuilt file for this platform and OpenSSL ${major}, which SYSTEM_TLS_OPENSSL asks for`,
        `  cure:  ${buildHere}`,
        more,
      ].join('\n'),
      [],
    );
  }
  const heading = `system-tls could not be loaded on ${system} (node ${process.version})`;
  return new LoadError(
    [heading, ...failures.flatMap(lines), more].join('\n'),
    failures.map(({ file }) => file),
    failures[0]?.error,
  );
}
