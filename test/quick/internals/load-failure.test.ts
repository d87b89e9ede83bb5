import assert from 'node:assert/strict';
import { cpSync, mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { LoadError } from 'system-tls';
import { describeLoadFailure } from '#dist/native/load-failure.js';
import { Child, packageFolder } from '../../support/child.ts';
import { evaluate } from '../../support/nodes.ts';

interface Outcome {
  name: string;
  code: string;
  message: string;
  tried: string[];
}

/** What the dynamic loader says, and what the operator must read. */
const sayings: [said: string, cause: RegExp, cure: RegExp][] = [
  [
    'libssl.so.3: cannot open shared object file: No such file or directory',
    /has no libssl\.so\.3/,
    /apt-get install libssl3.*dnf install openssl-libs.*apk add.*brew install/,
  ],
  ['Error loading shared library libcrypto.so.3: No such file', /has no libcrypto\.so\.3/, /apk add/],
  ['Library not loaded: /opt/homebrew/opt/openssl@3/lib/libssl.3.dylib', /libssl\.3\.dylib/, /brew install/],
  [
    "/lib/libssl.so.3: version `OPENSSL_3.2.0' not found (required by x.node)",
    /older than .* \(it lacks OPENSSL_3\.2\.0\)/,
    /update the system's OpenSSL/,
  ],
  ["/lib/libc.so.6: version `GLIBC_2.38' not found", /lacks GLIBC_2\.38/, /newer release/],
  ['x.node: invalid ELF header', /another processor or system/, /install again/],
  ['libc.musl-x86_64.so.1: cannot open shared object file', /another C library/, /install again/],
  ['x.node: undefined symbol: napi_create_foo', /lacks a part of Node-API/, /Node 20\.19/],
  ['failed to map segment from shared object: Operation not permitted', /does not allow/, /noexec/],
  ['something that nobody has seen', /not known/, /build the addon/],
];

describe('a load that fails', () => {
  for (const [said, cause, cure] of sayings) {
    it(`explains: ${said}`, () => {
      const error = describeLoadFailure([{ file: '/p/x.node', error: new Error(said) }], '/p/');
      assert.ok(error instanceof Error);
      assert.equal((error as LoadError).code, 'ERR_SYSTEM_TLS_LOAD');
      assert.ok(error.message.includes(said));
      assert.match(error.message, new RegExp(`cause: .*${cause.source}`));
      assert.match(error.message, new RegExp(`cure: .*${cure.source}`));
    });
  }

  it('names every file that was tried', () => {
    const failures = ['a', 'b'].map(name => ({ file: `/p/${name}.node`, error: new Error(`no ${name}`) }));
    const error = describeLoadFailure(failures, '/p/') as LoadError;
    assert.deepEqual(error.tried, ['/p/a.node', '/p/b.node']);
    assert.match(error.message, /a\.node[\s\S]*no a[\s\S]*b\.node[\s\S]*no b/);
  });

  it("passes the addon's own refusal on as it is", () => {
    const refusal = Object.assign(new Error('refused'), { code: 'ERR_SYSTEM_TLS_NOT_ISOLATED' });
    const others = { file: '/p/a.node', error: new Error('no a') };
    assert.equal(describeLoadFailure([others, { file: '/p/b.node', error: refusal }], '/p/'), refusal);
  });

  it('is exported, to be recognised', () => {
    assert.equal(new LoadError('x', []).name, 'LoadError');
  });

  describe('in an installed package', () => {
    let folder: string;

    beforeEach(() => {
      folder = realpathSync(mkdtempSync(join(tmpdir(), 'installed-')));
      for (const part of ['dist', 'package.json'])
        cpSync(join(packageFolder, part), join(folder, part), { recursive: true });
      symlinkSync(join(packageFolder, 'node_modules'), join(folder, 'node_modules'));
    });
    afterEach(() => rmSync(folder, { recursive: true }));

    const importIt = () => `
      const url = ${JSON.stringify(pathToFileURL(join(folder, 'dist/index.js')).href)};
      try {
        const { openssl } = await import(url);
        console.log(JSON.stringify({ version: openssl.version }));
      } catch ({ name, code, message, tried }) {
        console.log(JSON.stringify({ name, code, message, tried }));
      }`;

    function prebuilt(tags: string, content?: string): string {
      const prebuilds = join(folder, 'prebuilds', `${process.platform}-${process.arch}`);
      mkdirSync(prebuilds, { recursive: true });
      const file = join(prebuilds, `system-tls.${tags}.node`);
      if (content === undefined) cpSync(join(packageFolder, 'build/Release/system_tls.node'), file);
      else writeFileSync(file, content);
      return file;
    }

    const report = process.report.getReport() as { header: { glibcVersionRuntime?: string } };
    const libc = report.header.glibcVersionRuntime === undefined ? 'musl' : 'glibc';

    it('without any binary says so', async () => {
      const { code, message } = await evaluate<Outcome>(process.execPath, importIt());
      assert.equal(code, 'ERR_SYSTEM_TLS_LOAD');
      assert.ok(message.includes(`no binary for ${process.platform}-${process.arch}`), message);
      assert.match(message, /cure: {2}\S/);
    });

    it('without any binary register ends the process with cause and cure, unless it is off', async () => {
      const register = join(folder, 'dist/compat/register.js');
      const run = (env: NodeJS.ProcessEnv) =>
        new Child(process.execPath, ['--require', register, '--eval', 'console.log("the application")'], { env });
      const on = run({});
      assert.deepEqual(await on.exited, { code: 1, signal: null }, on.output);
      assert.match(on.output, /ERR_SYSTEM_TLS_LOAD/);
      assert.match(on.output, /cause: \S[\s\S]*cure: {2}\S/);
      assert.doesNotMatch(on.output, /the application/);
      const off = run({ SYSTEM_TLS_REGISTER: 'off' });
      assert.deepEqual(await off.exited, { code: 0, signal: null }, off.output);
      assert.equal(off.output, 'the application\n');
    });

    it('takes the file for the OpenSSL that is there, whatever else lies beside it', async () => {
      prebuilt(`openssl9.${libc}`, 'made for a libssl that is not installed');
      prebuilt(`openssl3.${libc === 'glibc' ? 'musl' : 'glibc'}`, 'made for the other C library');
      prebuilt(`openssl3.${libc}`);
      const { version } = await evaluate<{ version?: string }>(process.execPath, importIt());
      assert.match(String(version), /^\d+\.\d+\.\d+/);
    });

    it('says what is wrong with each file that did not load', async () => {
      const file = prebuilt(`openssl3.${libc}`, 'no shared object');
      const { code, tried, message } = await evaluate<Outcome>(process.execPath, importIt());
      assert.equal(code, 'ERR_SYSTEM_TLS_LOAD');
      assert.deepEqual(tried, [file]);
      assert.match(message, /cause: \S/);
    });
  });
});
