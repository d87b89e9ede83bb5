import { invalidArgValue, invalidThis, tlsError } from '../base/coded-error.ts';
import { asBytes, optionalInteger, optionalString, validateObject } from '../base/validate.ts';
import type { OperationOptions } from '../connection/operations.ts';
import type { ReadOptions } from '../connection/options.ts';
import { Bio, memoryContent } from '../transport/bio.ts';
import { readBio, writeBio } from './bio-stream.ts';
import { attach, FilterBio, free, type GetsOptions, type Step, within } from './filter-bio.ts';
import { LineBuffer } from './line-buffer.ts';
import { Turns } from './turns.ts';

export interface BufferBioOptions {
  /** Bytes that are gathered before they are written, and read at a time; default 16384. BIO_set_buffer_size(3). */
  readonly size?: number | undefined;
}

const defaultSize = 16_384;
const maxSize = 2 ** 30;
const defaultMaxLength = 65_536;

let own: (bio: unknown) => BufferBio;

/**
 * Gathers what is written, and reads lines: BIO_new(3) with BIO_f_buffer(3). Below it comes an {@link SslBio}, another
 * BufferBio, or a {@link Bio}: {@link FilterBio.push}.
 *
 * What is written leaves when there is more than `size`, with {@link flush}, and when a read has to wait: who waits for an
 * answer has asked. (OpenSSL's does not do the last: a question that was not flushed is waited for in vain.)
 *
 * `for await (const line of bio)` gives the lines until the end.
 */
export class BufferBio extends FilterBio {
  readonly #size: number;
  readonly #input = new LineBuffer();
  readonly #reads = new Turns();
  readonly #writes = new Turns();
  #output: Buffer[] = [];
  #outputSize = 0;

  static {
    own = bio => {
      if (typeof bio !== 'object' || bio === null || !(#input in bio)) throw invalidThis('BufferBio');
      return bio;
    };
  }

  /** @throws RangeError `ERR_OUT_OF_RANGE` for a size that is none */
  constructor(options: BufferBioOptions = {}) {
    super();
    validateObject(options, 'options');
    this.#size = optionalInteger(options.size, 'options.size', 1, maxSize) ?? defaultSize;
  }

  /**
   * A line with its end, LF or CR LF as it came: BIO_gets(3). Unlike OpenSSL's on a non-blocking BIO, it waits until the
   * line is whole.
   *
   * @returns what is left behind the last end of a line, if there is something; null at the end
   * @throws Error `ERR_TLS_LINE_TOO_LONG`: nothing was taken, so that {@link read} or a longer `maxLength` can go on.
   * OpenSslError `ERR_SSL_UNEXPECTED_EOF` for an end without close_notify, also in the middle of a line, which {@link read} then
   * gives
   */
  override async gets(options?: GetsOptions): Promise<string | null> {
    return within(own(this), 'gets()', options, step => {
      const maxLength = optionalInteger(options?.maxLength, 'options.maxLength', 1, maxSize) ?? defaultMaxLength;
      const encoding = encodingOption(options?.encoding);
      return this.#reads.run(step.signal, async () => {
        const length = await this.#awaitLine(step, maxLength);
        return length === 0 ? null : this.#input.take(length).toString(encoding);
      });
    });
  }

  /** Bytes of the next line, which is in the buffer then; 0 at the end. */
  async #awaitLine(step: Step, maxLength: number): Promise<number> {
    for (;;) {
      const length = this.#input.lineLength();
      if ((length === 0 ? this.#input.size : length) > maxLength) throw lineTooLong(maxLength);
      if (length > 0) return length;
      const chunk = await this.#readBelow(this.#size, step);
      if (chunk === null) return this.#input.size;
      this.#input.add(chunk);
    }
  }

  /** Some bytes, of the buffer first; null at the end: BIO_read(3). */
  override async read(options?: ReadOptions): Promise<Buffer | null> {
    return within(own(this), 'read()', options, step => {
      const max = optionalInteger(options?.max, 'options.max', 1, maxSize) ?? maxSize;
      return this.#reads.run(step.signal, async () => {
        if (this.#input.size > 0) return this.#input.take(max);
        return this.#readBelow(Math.min(max, this.#size), step);
      });
    });
  }

  async #readBelow(max: number, { signal }: Step): Promise<Buffer | null> {
    // If it fails, the bytes stay, and the next flush() tells why. Nobody waits for it: a peer that writes before it reads
    // would wait for us.
    if (this.#outputSize > 0) this.flush().catch(() => undefined);
    const next = this.#below();
    return next instanceof Bio ? readBio(next, max, signal) : next.read({ max, signal });
  }

  /** Bytes to the buffer, of which a copy is made; if it is full, everything goes on. BIO_write(3). */
  override async write(data: string | NodeJS.ArrayBufferView, options?: OperationOptions): Promise<number> {
    own(this);
    const bytes = Buffer.from(asBytes(data, 'data'));
    return within(this, 'write()', options, step =>
      this.#writes.run(step.signal, async () => {
        this.#below();
        if (this.#outputSize + bytes.length > this.#size) await this.#sendWith(bytes, step);
        else this.#keep(bytes);
        return bytes.length;
      }),
    );
  }

  /** Sends what is in the buffer: BIO_flush(3). Resolves when it was taken below; that is not delivery. */
  override async flush(options?: OperationOptions): Promise<void> {
    return within(own(this), 'flush()', options, step =>
      this.#writes.run(step.signal, async () => {
        const next = this.#below();
        await this.#sendWith(undefined, step);
        if (next instanceof FilterBio) await next.flush(step);
      }),
    );
  }

  #keep(bytes: Buffer): void {
    this.#output.push(bytes);
    this.#outputSize += bytes.length;
  }

  /** What is in the buffer, and `bytes` behind it. If that fails, the buffer is as it was. */
  async #sendWith(bytes: Buffer | undefined, { signal }: Step): Promise<void> {
    const all = bytes === undefined ? this.#output : [...this.#output, bytes];
    const next = this.#below();
    const [first] = all;
    if (first === undefined) return;
    const gathered = all.length === 1 ? first : Buffer.concat(all);
    if (next instanceof Bio) await writeBio(next, gathered, signal);
    else await next.write(gathered, { signal });
    this.#output = [];
    this.#outputSize = 0;
  }

  /** Bytes in the buffer; if there are none, those below: BIO_pending(3). */
  override get pending(): number {
    return own(this).#input.size || (this.next?.pending ?? 0);
  }

  /** Bytes in the buffer; if there are none, those below: BIO_wpending(3). */
  override get wpending(): number {
    return own(this).#outputSize || (this.next instanceof FilterBio ? this.next.wpending : 0);
  }

  /** The lines until the end, each with its own end, as {@link gets} gives them. */
  async *[Symbol.asyncIterator](): AsyncGenerator<string, void, void> {
    own(this);
    for (let line = await this.gets(); line !== null; line = await this.gets()) yield line;
  }

  /** Flushes, then closes the chain; below an SslBio says goodbye. What cannot be sent any more is let go. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (own(this).closed) return;
    if (this.next !== null) await this.flush({ timeout: disposeTimeout }).catch(() => undefined);
    this.close();
  }

  #below(): FilterBio | Bio {
    if (this.next === null)
      throw tlsError('ERR_TLS_NO_TRANSPORT', 'nothing is below this BufferBio: push() a Bio first');
    return this.next;
  }

  /** @internal */
  override [attach](below: FilterBio | Bio): void {
    if (below instanceof Bio) memoryContent(below);
  }

  /** @internal */
  override [free](next: FilterBio | Bio | null): void {
    if (next instanceof Bio) next.close();
  }
}

/** Milliseconds that asynchronous disposal gives the transport to take what was buffered. */
const disposeTimeout = 2_000;

function encodingOption(value: unknown): BufferEncoding {
  const encoding = optionalString(value, 'options.encoding') ?? 'utf8';
  if (!Buffer.isEncoding(encoding)) throw invalidArgValue('options.encoding', 'must be an encoding of Buffer', value);
  return encoding;
}

function lineTooLong(maxLength: number): Error {
  return tlsError(
    'ERR_TLS_LINE_TOO_LONG',
    `The line has more than ${maxLength} bytes (option maxLength): raise the limit, or take what is there with read()`,
  );
}
