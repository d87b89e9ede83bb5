// The command `system-tls`, in the repository and where nothing can be loaded.
import assert from 'node:assert/strict';
import { cpSync, mkdtempSync, rmSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { openssl } from 'system-tls';
import { Child, packageFolder } from '../../support/child.ts';

interface Info {
  readonly binary: string;
  readonly openssl: { readonly version: string; readonly libssl: string };
  readonly isolated: { readonly proved: boolean };
  readonly features: object;
  readonly trust: { readonly certificates: number };
  readonly policy: {
    readonly configuration: string | null;
    readonly securityLevel: number;
    readonly ciphers: string[];
  };
  readonly providers: string[];
  readonly threads: { readonly processors: number; readonly environment: string | null };
}

interface Outcome {
  readonly code: number | null;
  readonly output: string;
}

async function command(args: readonly string[], env: NodeJS.ProcessEnv = {}, folder = packageFolder): Promise<Outcome> {
  const child = new Child(process.execPath, [join(folder, 'dist/cli/main.js'), ...args], { env });
  const { code } = await child.exited;
  return { code, output: child.output };
}

describe('the command system-tls', () => {
  it('info: what the package tells of itself', async () => {
    const { code, output } = await command(['info', '--json'], { SYSTEM_TLS_IO_THREADS: '2' });
    assert.equal(code, 0, output);
    const info = JSON.parse(output) as Info;
    assert.equal(info.openssl.version, openssl.version);
    assert.equal(info.openssl.libssl, openssl.libssl);
    assert.equal(info.isolated.proved, true);
    assert.deepEqual(info.features, openssl.features);
    assert.ok(info.binary.endsWith('.node'), info.binary);
    assert.ok(info.providers.includes('default'), info.providers.join());
    assert.ok(info.policy.ciphers.length > 0);
    assert.ok(Number.isInteger(info.policy.securityLevel));
    assert.deepEqual(info.threads, { ...info.threads, processors: availableParallelism(), environment: '2' });
    assert.ok(Number.isInteger(info.trust.certificates));
  });

  it('info, for people: a line for each', async () => {
    const { code, output } = await command(['info']);
    assert.equal(code, 0, output);
    for (const name of [
      'package',
      'binary',
      'OpenSSL',
      'isolated',
      'trust',
      'configuration',
      'policy',
      'providers',
      'threads',
    ]) {
      assert.match(output, new RegExp(`^${name}\\s+\\S`, 'm'));
    }
  });

  it('info: OPENSSL_CONF that names nothing is no configuration', async () => {
    const { output } = await command(['info', '--json'], { OPENSSL_CONF: '' });
    assert.equal((JSON.parse(output) as Info).policy.configuration, null);
  });

  it('--help', async () => {
    for (const args of [['--help'], ['-h'], ['info', '--help']]) {
      const { code, output } = await command(args);
      assert.equal(code, 0);
      assert.match(output, /^usage: system-tls info/);
    }
  });

  for (const args of [[], ['infos'], ['info', 'more'], ['info', '--jsn'], ['--json']]) {
    it(`refuses: ${args.join(' ') || 'nothing'}`, async () => {
      const { code, output } = await command(args);
      assert.equal(code, 2);
      assert.match(output, /usage: system-tls info/);
    });
  }

  it('says why nothing can be loaded, for people and for programs', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'system-tls-command-'));
    try {
      for (const part of ['dist', 'package.json'])
        cpSync(join(packageFolder, part), join(folder, part), { recursive: true });
      const people = await command(['info'], {}, folder);
      assert.equal(people.code, 1);
      assert.match(people.output, /has no binary for .*\n.*\n {2}cause: \S.*\n {2}cure: {2}\S/);
      const programs = await command(['info', '--json'], {}, folder);
      assert.equal(programs.code, 1);
      assert.equal((JSON.parse(programs.output) as { error: { code: string } }).error.code, 'ERR_SYSTEM_TLS_LOAD');
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});
