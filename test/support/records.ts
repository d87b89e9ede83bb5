// Into which records data is divided on its way between two connections in memory.
import assert from 'node:assert/strict';
import { pattern } from './bytes.ts';
import type { MemoryPair, Wire } from './memory-pair.ts';

const applicationData = 23;

/** Lengths of the records of application data that have crossed since `from`, with their headers. */
export function records(wire: Wire, from = 0, ofAll = false): number[] {
  const bytes = wire.bytes.subarray(from);
  const lengths: number[] = [];
  for (let at = 0; at + 5 <= bytes.length; ) {
    const length = 5 + bytes.readUInt16BE(at + 3);
    if (ofAll || bytes[at] === applicationData) lengths.push(length);
    at += length;
  }
  return lengths;
}

export interface Sending {
  /** In how many writes. */
  readonly pieces?: number;
  readonly from?: 'client' | 'server';
}

/** Writes that much, and tells in records of which sizes it went. */
export async function recordsOf(
  pair: MemoryPair,
  size: number,
  { pieces = 1, from = 'client' }: Sending = {},
): Promise<number[]> {
  const [sender, receiver] = from === 'client' ? [pair.client, pair.server] : [pair.server, pair.client];
  const wire = from === 'client' ? pair.toServer : pair.toClient;
  const before = wire.bytes.length;
  const data = pattern(size);
  const received: Buffer[] = [];
  const reading = (async () => {
    for (let got = 0; got < size; ) {
      const chunk = (await receiver.read()) as Buffer;
      received.push(chunk);
      got += chunk.length;
    }
  })();
  const writing = (async () => {
    const step = Math.ceil(size / pieces);
    for (let at = 0; at < size; at += step) await sender.write(data.subarray(at, at + step));
  })();
  await pair.during(Promise.all([reading, writing]));
  assert.ok(Buffer.concat(received).equals(data));
  return records(wire, before);
}

/** The clear bytes of each record, if all are full but the last. */
export function fullRecords(size: number, fragment: number): number[] {
  const rest = size % fragment;
  return [...Array.from({ length: Math.floor(size / fragment) }, () => fragment), ...(rest > 0 ? [rest] : [])];
}
