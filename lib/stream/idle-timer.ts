/**
 * Calls back when nothing has happened for a while; keeps no process running.
 *
 * What happens costs nothing: it is asked for when the time is over. http sets the time anew for each request, and takes it
 * back, so one timer serves all of that.
 */
export class IdleTimer {
  readonly #expired: () => void;
  readonly #idleTime: () => number;
  #timer: NodeJS.Timeout | undefined;
  /** Milliseconds that the timer was made for. */
  #armed = 0;
  /** For what is left of the time. */
  #rest: NodeJS.Timeout | undefined;
  #milliseconds = 0;
  /** It was told, and nothing has happened since. */
  #told = false;

  /** @param idleTime - milliseconds since something last happened */
  constructor(expired: () => void, idleTime: () => number) {
    this.#expired = expired;
    this.#idleTime = idleTime;
  }

  get milliseconds(): number {
    return this.#milliseconds;
  }

  /** 0: never. Begins anew in any case. */
  set(milliseconds: number): void {
    this.#stopRest();
    this.#milliseconds = milliseconds;
    this.#told = false;
    if (milliseconds === 0) return;
    if (this.#timer !== undefined && this.#armed === milliseconds) {
      this.#timer.refresh();
      return;
    }
    clearTimeout(this.#timer);
    this.#armed = milliseconds;
    this.#timer = this.#lookIn(milliseconds);
  }

  /** Something happened, which begins the time anew behind an end that was told. Costs nothing otherwise. */
  touch(): void {
    if (this.#told) this.set(this.#milliseconds);
  }

  stop(): void {
    this.#stopRest();
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#milliseconds = 0;
    this.#told = false;
  }

  #lookIn(milliseconds: number): NodeJS.Timeout {
    return setTimeout(() => this.#look(), milliseconds).unref();
  }

  #look(): void {
    this.#stopRest();
    // Taken back, or replaced.
    if (this.#milliseconds === 0) return;
    const left = this.#milliseconds - this.#idleTime();
    this.#told = left <= 0;
    if (this.#told) this.#expired();
    else this.#rest = this.#lookIn(left);
  }

  #stopRest(): void {
    if (this.#rest === undefined) return;
    clearTimeout(this.#rest);
    this.#rest = undefined;
  }
}
