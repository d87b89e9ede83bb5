// Debug symbols beside a stripped binary, by which a stack trace or a profile of it finds names and lines.

import { run, Stop } from './run.mjs';

/** @param {string} command  @param {string[]} args */
function must(command, args) {
  if (run(command, args) !== 0) throw new Stop(`${command} ${args.join(' ')} failed`);
}

/**
 * Moves the symbols of `file` into a file beside it, and leaves a link: gdb(1) and perf(1) look there.
 * @param {string} file
 * @param {NodeJS.Platform} platform
 * @param {string} [prefix]  of the tools, for another processor than this machine's
 * @returns {string} where the symbols are
 */
export function splitSymbols(file, platform, prefix = '') {
  if (platform === 'darwin') {
    const symbols = `${file}.dSYM`;
    must('dsymutil', [file, '-o', symbols]);
    must('strip', ['-Sx', file]);
    // Stripping breaks the signature, without which Apple's processors load nothing.
    must('codesign', ['--force', '--sign', '-', file]);
    return symbols;
  }
  const symbols = `${file}.debug`;
  must(`${prefix}objcopy`, ['--only-keep-debug', '--compress-debug-sections', file, symbols]);
  must(`${prefix}strip`, ['--strip-all', file]);
  must(`${prefix}objcopy`, [`--add-gnu-debuglink=${symbols}`, file]);
  return symbols;
}
