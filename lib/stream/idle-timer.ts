/**
 * Calls back when nothing has happened for a while; keeps no process running.
 *
 * What users do and hear restarts it. What goes on below them, while a large write or a file is being sent, costs nothing:
 * it is asked for when the time is over.
 */
export class IdleTimer {
  readonly #expired: () => void;
  readonly #idleTime: () => number;
  #timer: NodeJS.Timeout | undefined;
  /** For what is left of the time, because something happened that only `idleTime` knows of. */
  #rest: NodeJS.Timeout | undefined;
  #milliseconds = 0;

  /** @param idleTime - milliseconds since something last happened */
  constructor(expired: () => void, idleTime: () => number) {
    this.#expired = expired;
    this.#idleTime = idleTime;
  }

  get milliseconds(): number {
    return this.#milliseconds;
  }

  /** 0: never. */
  set(milliseconds: number): void {
    this.stop();
    this.#milliseconds = milliseconds;
    if (milliseconds !== 0) this.#timer = this.#lookIn(milliseconds);
  }

  /** Something happened. */
  touch(): void {
    this.#stopRest();
    this.#timer?.refresh();
  }

  stop(): void {
    this.#stopRest();
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  #lookIn(milliseconds: number): NodeJS.Timeout {
    return setTimeout(() => this.#look(), milliseconds).unref();
  }

  #look(): void {
    this.#stopRest();
    const left = this.#milliseconds - this.#idleTime();
    if (left > 0) this.#rest = this.#lookIn(left);
    else this.#expired();
  }

  #stopRest(): void {
    if (this.#rest === undefined) return;
    clearTimeout(this.#rest);
    this.#rest = undefined;
  }
}
