// What streams write in one turn goes out together at its end: many small writes are one system call, or one message to a thread.
import { binding } from '../native/load-binding.ts';
import { state, stateAt } from './dispatch.ts';

const { held, dispatching } = stateAt;

let scheduled = false;
let ending = false;

function send(): void {
  scheduled = false;
  binding.sendHeld();
}

/** To be called behind a write. A dispatch sends by itself, behind the ticks and microtasks that it causes. */
export function sendAtEndOfTurn(): void {
  if (state[held] === 0) return;
  if (ending) {
    send();
  } else if (state[dispatching] === 0 && !scheduled) {
    scheduled = true;
    queueMicrotask(send);
  }
}

// process.exit() ends a turn before its end, and no turn has one any more: listeners behind this one may write too.
process.on('exit', () => {
  ending = true;
  send();
});
