// How a function that a handshake asks may answer.
import { sleep } from './wait.ts';

type Way = <T>(answer: T) => () => T | Promise<T>;

const atOnce: Way = answer => () => answer;
const byPromise: Way = answer => () => sleep(3, answer);

export const ways = [
  ['at once', atOnce],
  ['by a promise', byPromise],
] as const;
