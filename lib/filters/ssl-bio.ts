import { invalidArgType, invalidThis, tlsError } from '../base/coded-error.ts';
import { asBytes, optionalBoolean, validateObject } from '../base/validate.ts';
import type { OperationOptions } from '../connection/operations.ts';
import type { ReadOptions, ShutdownOptions } from '../connection/options.ts';
import type { Ssl } from '../connection/ssl.ts';
import { connectionOf } from '../connection/state.ts';
import { Bio } from '../transport/bio.ts';
import { attach, detach, FilterBio, free, within } from './filter-bio.ts';

export interface SslBioOptions {
  /** Whether closing it closes the connection: BIO_CLOSE. Default false: BIO_NOCLOSE. */
  readonly close?: boolean | undefined;
}

let own: (bio: unknown) => SslBio;

/**
 * A connection as a BIO: BIO_new(3) with BIO_f_ssl(3), and BIO_set_ssl(3). Clear bytes above it, TLS below.
 *
 * The connection may have its transport already. If not, the {@link Bio} that is put below becomes it: {@link FilterBio.push}.
 */
export class SslBio extends FilterBio {
  readonly #ssl: Ssl;
  readonly #closes: boolean;

  static {
    own = bio => {
      if (typeof bio !== 'object' || bio === null || !(#ssl in bio)) throw invalidThis('SslBio');
      return bio;
    };
  }

  /**
   * @throws TypeError `ERR_INVALID_THIS` for what is no Ssl; Error `ERR_TLS_SSL_IN_USE` if a TlsSocket reads it: give
   * `Bio.duplex(socket)` to a BufferBio instead
   */
  constructor(ssl: Ssl, options: SslBioOptions = {}) {
    super();
    const connection = connectionOf(ssl);
    validateObject(options, 'options');
    this.#closes = optionalBoolean(options.close, 'options.close', false);
    if (connection.flow !== null) {
      throw tlsError(
        'ERR_TLS_SSL_IN_USE',
        `${connection.description} is read by a TlsSocket: use Bio.duplex(socket) in place of an SslBio`,
      );
    }
    this.#ssl = ssl;
  }

  /** BIO_get_ssl(3). */
  get ssl(): Ssl {
    return own(this).#ssl;
  }

  /** The handshake, which reads and writes perform too: BIO_do_handshake(3). */
  async doHandshake(options?: OperationOptions): Promise<void> {
    return within(own(this), 'doHandshake()', options, step => this.#ssl.handshake(step));
  }

  /** Says goodbye: BIO_ssl_shutdown(3). */
  async shutdown(options?: ShutdownOptions): Promise<void> {
    own(this);
    const wait = options?.wait;
    return within(own(this), 'shutdown()', options, step => this.#ssl.shutdown({ ...step, wait }));
  }

  override async read(options?: ReadOptions): Promise<Buffer | null> {
    own(this);
    const max = options?.max;
    return within(own(this), 'read()', options, step => this.#ssl.read({ ...step, max }));
  }

  override async write(data: string | NodeJS.ArrayBufferView, options?: OperationOptions): Promise<number> {
    own(this);
    const bytes = asBytes(data, 'data');
    return within(own(this), 'write()', options, async step => {
      await this.#ssl.write(bytes, step);
      return bytes.length;
    });
  }

  /** Nothing is buffered here. */
  override async flush(options?: OperationOptions): Promise<void> {
    await within(own(this), 'flush()', options, async () => undefined);
  }

  /** There are no lines without a buffer: rejects with `ERR_TLS_BIO_NO_LINES`, as BIO_gets(3) gives -2. */
  override async gets(): Promise<never> {
    own(this);
    throw tlsError('ERR_TLS_BIO_NO_LINES', 'an SslBio has no lines: new BufferBio().push(sslBio), and gets() of that');
  }

  /** Clear bytes: SSL_pending(3), and what was read ahead. */
  override get pending(): number {
    return own(this).#ssl.closed ? 0 : this.#ssl.readableAmount;
  }

  /** Ciphertext. */
  override get wpending(): number {
    return own(this).#ssl.closed ? 0 : this.#ssl.bufferedAmount;
  }

  /** {@link close}, which says goodbye. */
  async [Symbol.asyncDispose](): Promise<void> {
    own(this).close();
  }

  /** @internal A source or sink becomes the transport. */
  override [attach](below: FilterBio | Bio): void {
    if (!(below instanceof Bio)) throw invalidArgType('append', 'a Bio: below an SslBio comes its transport', below);
    this.#ssl.setBio(below, below);
  }

  /** @internal */
  override [detach](): void {
    if (this.next === null) return;
    throw tlsError(
      'ERR_TLS_BIO_IN_USE',
      'a connection keeps its transport: the SslBio cannot be taken out from above it',
    );
  }

  /** @internal As BIO_free(3) does it: our close_notify goes out, nobody waits for the peer's. */
  override [free](next: FilterBio | Bio | null): void {
    const { closed, error, native } = connectionOf(this.#ssl);
    if (!closed && error === null && native.established) this.#ssl.shutdown().catch(() => undefined);
    if (!this.#closes) return;
    this.#ssl.close();
    if (next instanceof Bio) next.close();
  }
}
