import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { LoadError, openssl } from 'system-tls';
import { describeLoadFailure } from '#dist/native/load-failure.js';
import { needsProgram } from '../../support/capabilities.ts';
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
        console.log(JSON.stringify({ version: openssl.version, libssl: openssl.libssl }));
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

    const asking = (value: string) => ({ env: { SYSTEM_TLS_OPENSSL: value } });
    const own = Number(openssl.version.split('.')[0]);

    it('SYSTEM_TLS_OPENSSL: the major version that it names, or none', async () => {
      prebuilt(`openssl${own}.${libc}`);
      prebuilt(`openssl9.${libc}`, 'made for a libssl that is not installed');
      const good = await evaluate<{ version?: string }>(process.execPath, importIt(), asking(String(own)));
      assert.equal(good.version, openssl.version);
      const other = await evaluate<Outcome>(process.execPath, importIt(), asking(own === 3 ? '4' : '3'));
      assert.equal(other.code, 'ERR_SYSTEM_TLS_LOAD');
      assert.match(other.message, /cause: .*no prebuilt file .* OpenSSL \d, which SYSTEM_TLS_OPENSSL asks for/);
    });

    it('SYSTEM_TLS_OPENSSL: the libraries of the folder that it names', async function () {
      if (process.platform !== 'linux') return this.skip();
      prebuilt(`openssl${own}.${libc}`);
      const libraries = join(folder, 'an OpenSSL/lib');
      mkdirSync(libraries, { recursive: true });
      for (const file of [openssl.libssl, openssl.libcrypto])
        cpSync(realpathSync(file), join(libraries, basename(file)));
      for (const named of [libraries, dirname(libraries)]) {
        const { libssl } = await evaluate<{ libssl?: string }>(process.execPath, importIt(), asking(named));
        assert.equal(libssl, join(libraries, basename(openssl.libssl)));
      }
      writeFileSync(join(libraries, basename(openssl.libcrypto)), 'no library');
      const broken = await evaluate<Outcome>(process.execPath, importIt(), asking(libraries));
      assert.equal(broken.code, 'ERR_SYSTEM_TLS_LOAD');
      rmSync(join(libraries, basename(openssl.libcrypto)));
      const half = await evaluate<Outcome>(process.execPath, importIt(), asking(libraries));
      assert.match(half.message, /cause: no libssl and libcrypto of OpenSSL 3 or 4 lie there \(libssl\.so/);
    });

    for (const [value, cause] of [
      ['5', /it is neither a major version nor an absolute path/],
      ['3.0', /it is neither a major version nor an absolute path/],
      ['lib/ssl', /it is neither a major version nor an absolute path/],
      ['/there/is/no/such/folder', /there is no such folder/],
    ] as const) {
      it(`SYSTEM_TLS_OPENSSL=${value} is refused`, async () => {
        prebuilt(`openssl${own}.${libc}`);
        const { code, message } = await evaluate<Outcome>(process.execPath, importIt(), asking(value));
        assert.equal(code, 'ERR_SYSTEM_TLS_LOAD');
        assert.match(message, new RegExp(`"${value}"\n {2}cause: ${cause.source}\n {2}cure: {2}\\S`));
      });
    }

    for (const [name, version] of [
      ['bun', 'Bun'],
      ['deno', 'Deno'],
    ] as const) {
      it(`${version} is told to use node, before anything is opened`, async () => {
        prebuilt(`openssl${own}.${libc}`, 'must not be opened');
        const pretend = `Object.defineProperty(process.versions, '${name}', { value: '1.2.3' });`;
        const { code, message } = await evaluate<Outcome>(process.execPath, pretend + importIt());
        assert.equal(code, 'ERR_SYSTEM_TLS_LOAD');
        assert.match(message, new RegExp(`does not run in ${version} \\(1\\.2\\.3\\)[\\s\\S]*use Node 20\\.19`));
      });
    }

    it('node --no-addons: says how addons are allowed', async () => {
      prebuilt(`openssl${own}.${libc}`);
      const child = new Child(process.execPath, ['--no-addons', '--input-type=module', '--eval', importIt()]);
      await child.exited;
      assert.match(child.output, /cause: node was told to load no addon/);
      assert.match(child.output, /--allow-addons/);
    });

    it('another processor is named as the cause', async function () {
      if (process.platform !== 'linux') return this.skip();
      const file = prebuilt(`openssl${own}.${libc}`);
      const bytes = readFileSync(file);
      // e_machine of the ELF header: IBM S/390.
      bytes.writeUInt16LE(22, 18);
      writeFileSync(file, bytes);
      const { message } = await evaluate<Outcome>(process.execPath, importIt());
      assert.match(message, /cause: the file was built for another processor/);
    });

    it('a missing libssl is named, and the next file is tried', async function () {
      if (process.platform !== 'linux') return this.skip();
      needsProgram(this, 'patchelf');
      const file = prebuilt(`openssl4.${libc}`);
      execFileSync('patchelf', ['--replace-needed', basename(openssl.libssl), 'libssl.so.1.1', file]);
      const alone = await evaluate<Outcome>(process.execPath, importIt());
      assert.match(alone.message, /cause: this system has no libssl\.so\.1\.1\n {2}cure: {2}install OpenSSL/);
      assert.match(alone.message, /\n {2}more: {2}npx system-tls info$/);
      prebuilt(`openssl3.${libc}`);
      const { version } = await evaluate<{ version?: string }>(process.execPath, importIt());
      assert.equal(version, openssl.version);
    });

    it('loads from a folder with blanks and letters beyond ASCII, twice in one process', async () => {
      prebuilt(`openssl${own}.${libc}`);
      const other = realpathSync(mkdtempSync(join(tmpdir(), 'ein Ordner mit Ümläuten – ')));
      try {
        cpSync(folder, other, { recursive: true });
        const [first, second] = [folder, other].map(each => pathToFileURL(join(each, 'dist/index.js')).href);
        const script = `
          const [first, second] = await Promise.all(${JSON.stringify([first, second])}.map(each => import(each)));
          console.log(JSON.stringify({ versions: [first, second].map(({ openssl }) => openssl.version), same: first === second }));`;
        const { versions, same } = await evaluate<{ versions: string[]; same: boolean }>(process.execPath, script);
        assert.deepEqual(versions, [openssl.version, openssl.version]);
        assert.equal(same, false);
      } finally {
        rmSync(other, { recursive: true });
      }
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
