/** Calls back when nothing has happened for a while; keeps no process running. */
export class IdleTimer {
  readonly #expired: () => void;
  #timer: NodeJS.Timeout | undefined;
  #milliseconds = 0;

  constructor(expired: () => void) {
    this.#expired = expired;
  }

  get milliseconds(): number {
    return this.#milliseconds;
  }

  /** 0: never. */
  set(milliseconds: number): void {
    clearTimeout(this.#timer);
    this.#milliseconds = milliseconds;
    this.#timer = milliseconds === 0 ? undefined : setTimeout(this.#expired, milliseconds).unref();
  }

  /** Something happened. */
  touch(): void {
    this.#timer?.refresh();
  }

  stop(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }
}
