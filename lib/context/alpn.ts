// Application protocol names (RFC 7301) in their wire format: a length byte before each.
import { invalidArgType, invalidArgValue } from '../base/coded-error.ts';

const optionName = 'options.ALPNProtocols';

export type AlpnProtocols = readonly (string | Uint8Array)[] | Uint8Array;

/** The wire format of what the option may be; undefined for none. */
export function alpnWire(value: AlpnProtocols | undefined | null): Uint8Array | undefined {
  if (value === undefined || value === null) return undefined;
  if (value instanceof Uint8Array) return checkWire(value);
  if (!Array.isArray(value)) throw invalidArgType(optionName, 'an array of names, or a Buffer in wire format', value);
  if (value.length === 0) return undefined;
  return checkLength(Buffer.concat(value.map(encode)));
}

function encode(name: unknown, index: number): Buffer {
  const where = `${optionName}[${index}]`;
  if (typeof name !== 'string' && !(name instanceof Uint8Array))
    throw invalidArgType(where, 'a string or a Buffer', name);
  const bytes = Buffer.from(name as string);
  if (bytes.length === 0 || bytes.length > 255) throw invalidArgValue(where, 'must have 1 to 255 bytes', name);
  return Buffer.concat([Buffer.of(bytes.length), bytes]);
}

function checkWire(bytes: Uint8Array): Uint8Array | undefined {
  if (bytes.length === 0) return undefined;
  for (let at = 0; at < bytes.length; ) {
    const length = bytes[at] as number;
    at += 1 + length;
    if (length === 0 || at > bytes.length) {
      throw invalidArgValue(optionName, 'is no wire format: a length byte (1 to 255) before each name', bytes);
    }
  }
  return checkLength(bytes);
}

function checkLength(bytes: Uint8Array): Uint8Array {
  if (bytes.length > 65535) throw invalidArgValue(optionName, 'must not exceed 65535 bytes in wire format', bytes);
  return bytes;
}
