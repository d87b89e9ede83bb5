// Numbers that C++ and TypeScript have in common: the compiler holds those of lib/ against types/binding.d.ts, and this holds
// both against native/. Runs where the sources are.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { EventKind, Observe, QuestionKind, Status } from '#dist/native/constants.js';
import { packageFolder } from '../../support/child.ts';

const source = (file: string): string => readFileSync(join(packageFolder, 'native', file), 'utf8');
const pascal = (name: string): string => name.replace(/(?:^|_)([a-z])/g, (_, letter: string) => letter.toUpperCase());

/** The enumerators of `enum NAME`, by the names that TypeScript gives them. */
function enumerators(file: string, name: string, rename: (name: string) => string): Record<string, number> {
  const body = source(file).match(new RegExp(`enum (?:class )?${name}[^{]*\\{([^}]*)\\}`))?.[1];
  assert.ok(body !== undefined, `${file} has no enum ${name}`);
  const entries = [...body.matchAll(/(\w+) = (\d+)/g)].map(
    ([, key = '', value]) => [rename(key), Number(value)] as const,
  );
  assert.ok(entries.length > 0);
  return Object.fromEntries(entries);
}

describe('numbers that C++ and TypeScript have in common', () => {
  it('kinds of events', () => {
    const short = (name: string) => pascal(name.replace('operation_', 'op_'));
    const { None: none, ...kinds } = enumerators('io/reactor/event_batch.h', 'EventKind', short);
    assert.deepEqual(kinds, EventKind);
    assert.equal(none, 0);
  });

  it('kinds of questions', () => {
    const number = (file: string, subject: string) =>
      Number(source(`engine/callbacks/${file}`).match(new RegExp(`class ${subject}Subject [^}]*?kKind = (\\d+)`))?.[1]);
    const kinds = {
      Verify: number('verification.h', 'Verification'),
      ServerName: number('server_names.h', 'ServerName'),
      ClientHello: number('client_hello.h', 'ClientHello'),
      Protocol: number('alpn.h', 'Protocol'),
      Certificate: number('certificate.h', 'Certificate'),
      StatusRequest: number('certificate.h', 'StatusRequest'),
      Status: number('status.h', 'Status'),
      Session: number('session_lookup.h', 'Session'),
      Psk: number('psk.h', 'Psk'),
    };
    assert.deepEqual(kinds, QuestionKind);
  });

  it('what a connection may ask, by the number of the question', () => {
    const asks = enumerators('engine/connection.h', 'Asks', name => name.replace('kAsk', ''));
    const bits = Object.values(QuestionKind).map(kind => 1 << (kind - 1));
    assert.deepEqual(Object.values(asks), bits);
  });

  it('what is observed', () => {
    const kinds = enumerators('engine/events.h', 'Observe', name => name.replace('kObserve', ''));
    assert.deepEqual(kinds, Observe);
  });

  it('how an operation begins', () => {
    assert.deepEqual(enumerators('binding/connection.h', 'Status', pascal), Status);
  });
});
