// What must be true at the end of every case.
import { functions, isStream, type Moment, type PeerEnd, waitsForUs } from './axes.ts';
import type { Play } from './play.ts';

/** How reading may end where the peer did not say goodbye. */
const cutOff = new Set(['ERR_SSL_UNEXPECTED_EOF', 'ECONNRESET', 'EPIPE', 'ERR_TLS_CLOSED']);
/** Nothing of the user's was on its way that could have failed. */
const quiet: ReadonlySet<Moment> = new Set([...functions, 'finished', 'tickets', 'idle', 'shutdown']);
const takesAll: ReadonlySet<PeerEnd> = new Set(['half']);

const codeOf = (error: unknown): string =>
  error instanceof Error ? ((error as NodeJS.ErrnoException).code ?? error.message) : String(error);

/** Each as a text; none if all is right. */
export function findingsOf(play: Play): string[] {
  return [
    ...questionFindings(play),
    ...dataFindings(play),
    ...endFindings(play),
    ...operationFindings(play),
    ...eventFindings(play),
  ];
}

/** Whether all that the peer sent came as far as ours. Only a stream of the user's can lose some of it. */
function allArrived({ stage, peer }: Play): boolean {
  const arrived = stage?.arrived();
  return arrived === undefined || arrived === peer?.sent;
}

/** A function that verifies is not asked on a connection that failed before; for the others the peer waits. */
function questionFindings({ each, wasAsked }: Play): string[] {
  return waitsForUs(each) && each.at !== 'verify' && !wasAsked ? ['our function was not asked'] : [];
}

function dataFindings(play: Play): string[] {
  const { delivered } = play.ledger;
  const { expected } = play;
  if (!expected.subarray(0, delivered.length).equals(delivered)) {
    return [`what was delivered (${delivered.length} bytes) is not what was sent (${expected.length})`];
  }
  // Without an answer to our function's question there is no handshake, and no data.
  const unanswered = waitsForUs(play.each) && play.each.peer === 'silent';
  if (delivered.length < expected.length && !unanswered && allArrived(play)) {
    return [`${delivered.length} of ${expected.length} bytes were delivered`];
  }
  return [];
}

function endFindings(play: Play): string[] {
  const { each, ledger, peer } = play;
  const { ending } = ledger;
  if (each.peer === 'silent') return [];
  if (ending === undefined) return ['reading never ended'];
  if (peer?.saidGoodbye === true && each.at !== 'handshake') {
    return ending === 'end' || !allArrived(play)
      ? []
      : [`close_notify arrived, yet reading ended with ${codeOf(ending)}`];
  }
  if (ending === 'end') return ['reading ended well without a close_notify'];
  const handshake = each.at === 'handshake' || waitsForUs(each);
  return handshake || cutOff.has(codeOf(ending)) ? [] : [`reading ended with ${codeOf(ending)}: ${ending.message}`];
}

function operationFindings({ ledger }: Play): string[] {
  return ledger.operations
    .filter(({ settled }) => settled !== 1)
    .map(({ name, settled }) => `${name} settled ${settled} times`);
}

function eventFindings(play: Play): string[] {
  const { each, ledger, peer, subject } = play;
  if (subject === undefined) return [];
  const found: string[] = [];
  if (ledger.count('close') !== 1) found.push(`'close' came ${ledger.count('close')} times`);
  for (const name of ['end', 'finish', 'error']) {
    if (ledger.count(name) > 1) found.push(`'${name}' came ${ledger.count(name)} times`);
  }
  const told = ledger.count('finish') + ledger.count('error') > 0;
  // An iteration that has ended destroys its stream.
  if (isStream(each.api) && each.api !== 'iterate' && each.peer !== 'silent' && !told)
    found.push("neither 'finish' nor 'error' came");
  if (peer?.saidGoodbye === true && quiet.has(each.at) && each.peer !== 'unread' && ledger.errors.length > 0) {
    if (allArrived(play)) found.push(`'error' came though nothing of the user's failed: ${codeOf(ledger.errors[0])}`);
  }
  const failed = ledger.operations.some(({ error }) => error !== undefined);
  if (takesAll.has(each.peer) && ledger.ending === 'end' && !failed && peer?.engine.received !== ledger.written) {
    found.push(`the peer, which went on reading, got ${peer?.engine.received} of ${ledger.written} bytes`);
  }
  return found;
}
