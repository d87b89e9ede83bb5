// The command line of the benchmark, checked before anything is built.

import { existsSync } from 'node:fs';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { Stop } from '../../scripts/run.mjs';
import { beforeOf, selectJobs } from './jobs.mjs';

const usage =
  'Usage: npm run bench -- [NAME...] [--rounds N] [--seconds N] [--threads N] [--only PEER,...] [--against CHECKOUT] [--openssl PREFIX-OR-VERSION] [--no-results] [--page]';

/**
 * @param {string} what
 * @returns {never}
 */
function refuse(what) {
  console.error(`${what}\n${usage}`);
  throw new Stop(what);
}

function parse() {
  try {
    return parseArgs({
      allowPositionals: true,
      options: {
        rounds: { type: 'string', default: '3' },
        seconds: { type: 'string', default: '2' },
        threads: { type: 'string', default: '1' },
        only: { type: 'string' },
        against: { type: 'string' },
        openssl: { type: 'string' },
        'no-results': { type: 'boolean', default: false },
        page: { type: 'boolean', default: false },
      },
    });
  } catch (error) {
    // Behind the first sentence parseArgs() gives advice about dashes.
    const [first = ''] = String(error instanceof Error ? error.message : error).split(/\. |\n/);
    return refuse(`${first.replace(/\.$/, '')}.`);
  }
}

/** @param {string} name @param {string} given */
function positive(name, given) {
  const value = given.trim() === '' ? Number.NaN : Number(given);
  if (!(value > 0 && Number.isFinite(value))) refuse(`--${name} must be a number above 0; it is '${given}'.`);
  return value;
}

/** @param {string} name @param {string} given */
function count(name, given) {
  const value = positive(name, given);
  if (!Number.isSafeInteger(value)) refuse(`--${name} must be a whole number above 0; it is '${given}'.`);
  return value;
}

/** @param {string[]} names */
function jobsOf(names) {
  const groups = [...new Set(selectJobs([]).map(({ group, name }) => name.split(' ')[0] ?? group))];
  for (const name of names) {
    if (name !== '' && selectJobs([name]).length > 0) continue;
    refuse(`No job's name begins with '${name}'. Names begin with: ${groups.join(', ')}.`);
  }
  return selectJobs(names);
}

/** @param {import('./jobs.mjs').Job[]} jobs @param {string[] | undefined} only */
function withPeers(jobs, only) {
  const peers = [...new Set(jobs.flatMap(({ contestants }) => contestants.map(({ peer }) => peer)))];
  const strangers = only?.filter(name => !peers.includes(name)) ?? [];
  if (strangers.length > 0) {
    const named = strangers.map(name => `'${name}'`).join(', ');
    refuse(`--only: nobody in these jobs is called ${named}. There are: ${peers.join(', ')}.`);
  }
  return jobs
    .map(job => ({ ...job, contestants: job.contestants.filter(({ peer }) => only?.includes(peer) ?? true) }))
    .filter(({ contestants }) => contestants.length > 0);
}

/** @param {string | undefined} against  a checkout of another version, with its build */
function checkout(against) {
  if (against === undefined) return undefined;
  const folder = path.resolve(against);
  const built = ['dist/index.js', 'bench/servers/system-tls.mjs'].every(file => existsSync(path.join(folder, file)));
  return built ? folder : refuse(`--against must be a checkout in which 'npm run setup' has run; it is '${against}'.`);
}

/** Whoever is ours takes part in both versions, one after the other. @param {import('./jobs.mjs').Job[]} jobs */
const inBothVersions = jobs =>
  jobs.map(job => ({ ...job, contestants: job.contestants.flatMap(each => [each, ...beforeOf(each)]) }));

/** Prints what is wrong, and how it is used, and throws Stop. */
export function readArguments() {
  const { values, positionals } = parse();
  const numbers = {
    rounds: count('rounds', values.rounds),
    seconds: positive('seconds', values.seconds),
    threads: count('threads', values.threads),
  };
  const jobs = withPeers(jobsOf(positionals), values.only?.split(','));
  const against = checkout(values.against);
  return {
    ...numbers,
    jobs: against === undefined ? jobs : inBothVersions(jobs),
    against,
    openssl: values.openssl,
    // Results are those of one version.
    write: !values['no-results'] && against === undefined,
    page: values.page,
  };
}
