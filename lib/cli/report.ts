// What `system-tls info` tells: which binary, which OpenSSL, and how both are set up.
import { readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { processorsAtHand } from '../base/processors.ts';
import { describeTrust, getCACertificates } from '../compat/trust.ts';
import { contextArgument, SslContext } from '../context/context.ts';
import { type OpensslFeatures, openssl } from '../library/openssl.ts';
import { binaryFile, binding } from '../native/load-binding.ts';

export interface Report {
  readonly package: string;
  readonly node: { readonly version: string; readonly platform: string; readonly openssl: string };
  readonly binary: string;
  readonly openssl: {
    readonly version: string;
    readonly libssl: string;
    readonly libcrypto: string;
    /** Of openssl.cnf and of the default certificates. */
    readonly directory: string;
    readonly modulesDirectory: string;
    /** The version of the headers that the binary was made with. */
    readonly headers: string;
  };
  readonly isolated: { readonly proved: boolean; readonly how: string };
  readonly features: Readonly<OpensslFeatures>;
  readonly trust: { readonly where: string; readonly certificates: number };
  readonly policy: {
    /** Null: OPENSSL_CONF says that there is to be none. */
    readonly configuration: string | null;
    readonly securityLevel: number;
    readonly ciphers: readonly string[];
  };
  readonly providers: readonly string[];
  readonly threads: { readonly processors: number; readonly allowed: number; readonly environment: string | null };
}

function packageVersion(): string {
  const file = new URL('../../package.json', import.meta.url);
  return (JSON.parse(readFileSync(file, 'utf8')) as { version: string }).version;
}

function policy(configFile: string): Report['policy'] {
  const context = new SslContext();
  return {
    configuration: configFile === '' ? null : configFile,
    securityLevel: contextArgument(context, 'context').native.securityLevel,
    ciphers: context.ciphers,
  };
}

export function report(): Report {
  const info = binding.opensslInfo();
  const { configFile, providers } = binding.opensslSetup();
  const { version, libssl, libcrypto, directory, modulesDirectory, isolated, features } = openssl;
  return {
    package: packageVersion(),
    node: {
      version: process.version,
      platform: `${process.platform}-${process.arch}`,
      openssl: process.versions.openssl,
    },
    binary: binaryFile,
    openssl: { version, libssl, libcrypto, directory, modulesDirectory, headers: info.headerVersion },
    isolated: {
      proved: isolated,
      how: `functions lie in these two libraries, and an error made in libssl ("${info.provokedError}") was found in libcrypto`,
    },
    features,
    trust: { where: describeTrust(), certificates: getCACertificates().length },
    policy: policy(configFile),
    providers,
    threads: {
      processors: availableParallelism(),
      allowed: processorsAtHand(),
      environment: process.env['SYSTEM_TLS_IO_THREADS'] ?? null,
    },
  };
}
