// What `npm run check:full` runs, in this order. A new step is a new entry here; `npm run check:full -- --page` makes its row in
// docs/reliability.md.

/**
 * @typedef {object} Step
 * @property {string} name
 * @property {string} shows  what is known when it has passed
 * @property {string[]} run  arguments of `npm run`, the script's name first
 * @property {(output: string) => string} [figure]  from what it prints; otherwise of its line "N passed, N failed"
 * @property {(output: string) => boolean} [failed]  for what ends with code 0 whatever happens
 */

/** Of `npm run bench`: contestants that failed twice in a job. @param {string} output */
const givenUp = output => output.match(/: given up$/gm)?.length ?? 0;

/** @type {Step[]} */
export const steps = [
  { name: 'tests', shows: 'every test, on the loop and on I/O threads', run: ['test', '--', 'test/'] },
  { name: 'openssl-3.5', shows: 'the same on OpenSSL 3.5, and the native tests', run: ['test-openssl', '--', '3.5'] },
  { name: 'openssl-3.6', shows: 'the same on OpenSSL 3.6, and the native tests', run: ['test-openssl', '--', '3.6'] },
  { name: 'ktls', shows: 'kernel TLS, on a kernel that has it', run: ['test-ktls'] },
  {
    name: 'ktls-openssl-3.5',
    shows: 'the same on OpenSSL 3.5, which also receives so',
    run: ['test-ktls', '--', '3.5'],
  },
  { name: 'lint', shows: 'biome, clang-format, publint, headers, clang-tidy of all sources', run: ['lint'] },
  {
    name: 'asan-ubsan',
    shows: 'the native tests under AddressSanitizer and UndefinedBehaviorSanitizer: no wrong access, no leak',
    run: ['native-tests', '--', 'asan', 'ubsan'],
  },
  { name: 'tsan', shows: 'the native tests under ThreadSanitizer: no data race', run: ['native-tests', '--', 'tsan'] },
  {
    name: 'valgrind',
    shows: 'the addon in node under memcheck: no wrong access, no leak that grows with the connections',
    run: ['check-memory'],
  },
  {
    name: 'endings',
    shows: 'the whole product of the ways in which a connection ends',
    run: ['test:endings', '--', '--all'],
  },
  ...['loop', 'thread'].map(place => ({
    name: `soak-${place}`,
    shows: `20,000 connections of every ending on the ${place}: descriptors and memory stay flat`,
    run: ['test:endings', '--', '--soak', '--connections', '20000', '--on', place],
  })),
  {
    name: 'node-suite',
    shows: "Node's own tests of tls, https and http2 with the connections of this package",
    run: ['test:node-suite'],
    figure: output => /^\d+ of the \d+ that count pass, .*$/m.exec(output)?.[0] ?? 'skipped',
  },
  {
    name: 'libraries',
    shows: 'libraries of npm with real servers, unchanged, over the flag and over the import',
    run: ['test:libraries'],
  },
  {
    name: 'bench',
    shows: 'each job of the benchmark runs with this package and with node:tls',
    run: ['bench', '--', '--rounds', '1', '--seconds', '1', '--only', 'system-tls,node', '--no-results'],
    figure: output => `${givenUp(output)} given up`,
    failed: output => givenUp(output) > 0,
  },
  { name: 'prebuild', shows: 'the binary that ships can be made', run: ['prebuild'] },
  {
    name: 'binaries',
    shows: 'the binaries that ship ask for no newer libraries than the oldest systems have, and are hardened',
    run: ['check-binaries'],
  },
  { name: 'package', shows: 'the package, installed by a stranger without a compiler', run: ['test:package'] },
  ...[
    ['--openssl', '4'],
    ['--arch', 'arm64'],
    ['--arch', 'arm64', '--openssl', '4'],
  ].map(args => ({
    name: `prebuild${args
      .filter(each => !each.startsWith('-'))
      .map(each => `-${each}`)
      .join('')}`,
    shows: 'the binary for another OpenSSL or processor can be made, and loads there',
    run: ['prebuild', '--', ...args],
  })),
  {
    name: 'smoke-arm64',
    shows: 'one use of each feature on arm64, under an emulator',
    run: ['smoke', '--', '--arch', 'arm64'],
  },
  {
    name: 'matrix',
    shows: 'the tests on the installed package, with OpenSSL 3.0 to 4.0 and Node 20 to 26',
    run: ['matrix'],
  },
  {
    name: 'installed',
    shows: 'the tests on the installed package: the binary, the files and the exports that ship',
    run: ['test:installed'],
  },
];
