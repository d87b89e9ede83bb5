/** Operations by their number. Nearly always there is one at most, and an idle connection must not hold a Map for none. */
export class PendingOperations<T extends object> {
  #op = 0;
  #only: T | undefined;
  #others: Map<number, T> | undefined;

  get size(): number {
    return (this.#op === 0 ? 0 : 1) + (this.#others?.size ?? 0);
  }

  has(op: number): boolean {
    return this.#op === op || (this.#others?.has(op) ?? false);
  }

  set(op: number, pending: T): void {
    // Not before others that came earlier: all are failed in their order.
    if (this.#op === op || (this.#op === 0 && this.#others === undefined)) {
      this.#op = op;
      this.#only = pending;
    } else {
      this.#others ??= new Map();
      this.#others.set(op, pending);
    }
  }

  /** Takes it out, if it is there. */
  take(op: number): T | undefined {
    if (this.#op !== op) {
      const other = this.#others?.get(op);
      this.#others?.delete(op);
      if (this.#others?.size === 0) this.#others = undefined;
      return other;
    }
    const only = this.#only;
    this.#op = 0;
    this.#only = undefined;
    return only;
  }

  /** Takes out all, in the order of their numbers' arrival. */
  takeAll(): T[] {
    const all = this.#only === undefined ? [] : [this.#only];
    all.push(...(this.#others?.values() ?? []));
    this.#op = 0;
    this.#only = undefined;
    this.#others = undefined;
    return all;
  }
}
