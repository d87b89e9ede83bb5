/** What a user's function may give instead of an answer: one that comes later. */
export const isThenable = <T>(value: T | PromiseLike<T>): value is PromiseLike<T> =>
  (typeof value === 'object' || typeof value === 'function') &&
  value !== null &&
  typeof (value as Partial<PromiseLike<unknown>>).then === 'function';
