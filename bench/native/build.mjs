// Builds the load generator and the floor server: out/bench/load and out/bench/floor.

import { mkdirSync } from 'node:fs';
import path from 'node:path';
import process from 'node:process';
import { isMain, root, run, Stop } from '../../scripts/run.mjs';
import { fingerprint, isCurrent, remember } from '../../scripts/stamps.mjs';

export const folder = path.join(root, 'out/bench');
export const load = path.join(folder, 'load');
export const floor = path.join(folder, 'floor');

const warnings = [
  '-Wall',
  '-Wextra',
  '-Wpedantic',
  '-Wshadow',
  '-Wconversion',
  '-Wstrict-prototypes',
  '-Wmissing-prototypes',
];
const flags = ['-std=c11', '-D_GNU_SOURCE', '-O2', '-g', '-fno-omit-frame-pointer', ...warnings, '-Werror', '-pthread'];

const programs = {
  load: ['load.c', 'http.c', 'wire.c', 'common.c'],
  floor: ['floor.c', 'common.c'],
};

export function build() {
  const compiler = process.env.CC ?? 'cc';
  const print = fingerprint(['bench/native'], { compiler, flags });
  if (isCurrent('bench-native', print, path.relative(root, load))) return;
  mkdirSync(folder, { recursive: true });
  for (const [program, sources] of Object.entries(programs)) {
    const files = sources.map(source => path.join(root, 'bench/native', source));
    const output = path.join(folder, program);
    if (run(compiler, [...flags, ...files, '-o', output, '-lssl', '-lcrypto']) !== 0) {
      console.error(`bench/native/${program} could not be built: it needs a C compiler and OpenSSL's headers`);
      throw new Stop(program);
    }
  }
  remember('bench-native', print);
}

if (isMain(import.meta.url)) build();
