// What a socket has to tell behind data that nobody has read yet: how the connection ended, and writes that failed.

/** Milliseconds without a reader after which the socket is given up: peers that go must not be able to keep it. */
const unreadTimeout = 3_000;

interface FailedWrite {
  readonly error: Error;
  readonly callback: (error: Error) => void;
}

export class UnreadEnd {
  /** Of the whole connection. */
  failure: Error | undefined;
  /** Why nothing more can be sent. */
  cause: Error | undefined;
  readonly writes: FailedWrite[] = [];
  readonly #timer: NodeJS.Timeout;

  /** @param timeout - milliseconds */
  constructor(giveUp: (error: Error | undefined) => void, timeout = unreadTimeout) {
    this.#timer = setTimeout(() => giveUp(this.failure ?? this.writes[0]?.error ?? this.cause), timeout).unref();
  }

  /** Somebody reads. */
  postpone(): void {
    this.#timer.refresh();
  }

  /** All was read, or nobody will read any more. */
  failWrites(): void {
    for (const { error, callback } of this.writes.splice(0)) callback(error);
  }

  end(): void {
    clearTimeout(this.#timer);
    this.failWrites();
  }
}
