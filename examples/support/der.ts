// As much of DER (X.690) as a certificate needs.

type Bytes = Uint8Array;

function lengthBytes(length: number): Bytes {
  if (length < 0x80) return Buffer.of(length);
  const bytes: number[] = [];
  for (let rest = length; rest > 0; rest = Math.floor(rest / 256)) bytes.unshift(rest % 256);
  return Buffer.of(0x80 | bytes.length, ...bytes);
}

function element(tag: number, ...content: Bytes[]): Buffer {
  const body = Buffer.concat(content);
  return Buffer.concat([Buffer.of(tag), lengthBytes(body.length), body]);
}

export const sequence = (...items: Bytes[]): Buffer => element(0x30, ...items);
export const set = (...items: Bytes[]): Buffer => element(0x31, ...items);
export const utf8String = (text: string): Buffer => element(0x0c, Buffer.from(text));
export const octetString = (bytes: Bytes): Buffer => element(0x04, bytes);
export const yes = element(0x01, Buffer.of(0xff));

/** @param unused - bits at the end that do not count */
export const bitString = (bytes: Bytes, unused = 0): Buffer => element(0x03, Buffer.of(unused), bytes);

/** [n] around whole elements. */
export const explicit = (n: number, ...items: Bytes[]): Buffer => element(0xa0 | n, ...items);

/** [n] instead of the tag of a primitive type. */
export const implicit = (n: number, bytes: Bytes): Buffer => element(0x80 | n, bytes);

/** Not negative, big-endian. */
export function integer(bytes: Bytes): Buffer {
  const isNegative = (bytes[0] ?? 0) >= 0x80;
  return element(0x02, ...(isNegative ? [Buffer.of(0)] : []), bytes);
}

/** For years up to 2049. */
export function utcTime(date: Date): Buffer {
  const digits = date.toISOString().replace(/\D/g, '');
  return element(0x17, Buffer.from(`${digits.slice(2, 14)}Z`));
}

function base128(value: number): number[] {
  const bytes = [value & 0x7f];
  for (let rest = value >> 7; rest > 0; rest >>= 7) bytes.unshift(0x80 | (rest & 0x7f));
  return bytes;
}

/** `'2.5.29.17'`, ... */
export function objectIdentifier(dotted: string): Buffer {
  const [first = 0, second = 0, ...rest] = dotted.split('.').map(Number);
  return element(0x06, Buffer.from([first * 40 + second, ...rest.flatMap(base128)]));
}
