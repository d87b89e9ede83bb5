import type { NativeTicketKeyRing } from '../../types/binding.d.ts';
import { invalidArgType, invalidSecret, invalidThis } from '../base/coded-error.ts';
import { asBytes, optionalInteger, validateObject } from '../base/validate.ts';
import { binding } from '../native/load-binding.ts';

export interface TicketKeyRingOptions {
  /** At least 32 random bytes, the same on all machines. Text is refused: its characters hold less than they are long. */
  readonly secret: NodeJS.ArrayBufferView | ArrayBuffer;
  /** Seconds for which a key makes tickets, 1 to 604,800; default 43,200: 12 hours. The same on all machines. */
  readonly period?: number | undefined;
  /** How many earlier periods' tickets are still opened, 0 to 255; default 1. */
  readonly overlap?: number | undefined;
}

interface RingInternals {
  readonly native: NativeTicketKeyRing;
  readonly period: number;
  readonly overlap: number;
}

let internals: (ring: unknown) => RingInternals | undefined;

/** RFC 5869: as long as the hash, so that no key is easier to guess than another. */
const minSecret = 32;
/** RFC 8446 section 4.6.1: no ticket is good for longer. */
const maxPeriod = 7 * 24 * 3600;
const maxOverlap = 255;
const defaultPeriod = 12 * 3600;
const defaultOverlap = 1;

/** The bytes of a secret; whatever it is, no error shows it. */
function secretBytes(value: unknown): Uint8Array {
  const name = 'options.secret';
  if (!ArrayBuffer.isView(value) && !(value instanceof ArrayBuffer)) {
    const expected = "a Buffer, a TypedArray, a DataView or an ArrayBuffer (of text in hex: Buffer.from(text, 'hex'))";
    throw invalidArgType(name, expected, value);
  }
  const bytes = asBytes(value, name);
  if (bytes.length >= minSecret) return bytes;
  throw invalidSecret(name, `must have at least ${minSecret} bytes`, value);
}

/**
 * Ticket keys that follow from a secret and the time of day, so that the servers of a fleet open each other's session tickets
 * without talking to each other: see `docs/guide/sessions-of-a-fleet.md`, which has the derivation too.
 *
 * A value for {@link SslContext.ticketKeys} and for the option `ticketKeys`, for any number of contexts. The key of the
 * present period makes tickets; those of the `overlap` periods before it open tickets and replace them. That of the next one
 * opens tickets too, since the clocks of machines differ. Without a timer: the first handshake of a period makes its keys.
 */
export class TicketKeyRing {
  readonly #internals: RingInternals;

  static {
    internals = ring => (typeof ring === 'object' && ring !== null && #internals in ring ? ring.#internals : undefined);
  }

  /** @throws TypeError `ERR_INVALID_ARG_TYPE` or `ERR_INVALID_ARG_VALUE`, RangeError `ERR_OUT_OF_RANGE` */
  constructor(options: TicketKeyRingOptions) {
    validateObject(options, 'options');
    const secret = secretBytes(options.secret);
    const period = optionalInteger(options.period, 'options.period', 1, maxPeriod) ?? defaultPeriod;
    const overlap = optionalInteger(options.overlap, 'options.overlap', 0, maxOverlap) ?? defaultOverlap;
    this.#internals = { native: new binding.NativeTicketKeyRing({ secret, period, overlap }), period, overlap };
  }

  /** Seconds for which a key makes tickets. */
  get period(): number {
    return own(this).period;
  }

  /** How many earlier periods' tickets are still opened. */
  get overlap(): number {
    return own(this).overlap;
  }
}

function own(ring: unknown): RingInternals {
  const found = internals(ring);
  if (found === undefined) throw invalidThis('TicketKeyRing');
  return found;
}

export function isRing(value: unknown): value is TicketKeyRing {
  return internals(value) !== undefined;
}

/** @internal */
export function nativeRing(ring: TicketKeyRing): NativeTicketKeyRing {
  return own(ring).native;
}
