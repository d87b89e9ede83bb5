/** In milliseconds of a clock of its own; how long ago that was. */
export interface Activity {
  readonly lastActivity: number;
  readonly idleTime: number;
}

/**
 * Calls back when nothing has happened for a while; keeps no process running.
 *
 * What happens costs nothing: it is asked for when the time is over. http sets the time anew for each request, and takes it
 * back, so one timer serves all of that.
 */
export class IdleTimer {
  readonly #expired: () => void;
  readonly #activity: () => Activity;
  #timer: NodeJS.Timeout | undefined;
  /** Milliseconds that the timer was made for. */
  #armed = 0;
  /** For what is left of the time. */
  #rest: NodeJS.Timeout | undefined;
  #milliseconds = 0;
  /** The moment of the last activity before what was told. */
  #told = -1;

  constructor(expired: () => void, activity: () => Activity) {
    this.#expired = expired;
    this.#activity = activity;
  }

  get milliseconds(): number {
    return this.#milliseconds;
  }

  /** 0: never. Begins anew in any case. */
  set(milliseconds: number): void {
    this.#stopRest();
    this.#milliseconds = milliseconds;
    this.#told = -1;
    if (milliseconds === 0) return;
    if (this.#timer !== undefined && this.#armed === milliseconds) {
      this.#timer.refresh();
      return;
    }
    clearTimeout(this.#timer);
    this.#armed = milliseconds;
    this.#timer = this.#lookIn(milliseconds);
  }

  stop(): void {
    this.#stopRest();
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#milliseconds = 0;
  }

  #lookIn(milliseconds: number): NodeJS.Timeout {
    return setTimeout(() => this.#look(), milliseconds).unref();
  }

  #look(): void {
    this.#stopRest();
    // Taken back, or replaced.
    if (this.#milliseconds === 0) return;
    const { lastActivity, idleTime } = this.#activity();
    const left = this.#milliseconds - idleTime;
    // Also behind an end that is told: activity begins the time anew.
    this.#rest = this.#lookIn(left > 0 ? left : this.#milliseconds);
    if (left > 0 || this.#told === lastActivity) return;
    this.#told = lastActivity;
    this.#expired();
  }

  #stopRest(): void {
    if (this.#rest === undefined) return;
    clearTimeout(this.#rest);
    this.#rest = undefined;
  }
}
