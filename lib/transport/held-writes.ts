// What streams write in one turn goes out together at its end: many small writes are one system call, or one message to a thread.
import { binding } from '../native/load-binding.ts';
import { state } from './dispatch.ts';

let scheduled = false;

function send(): void {
  scheduled = false;
  binding.sendHeld();
}

/** To be called behind a write. A dispatch sends by itself, behind the ticks and microtasks that it causes. */
export function sendAtEndOfTurn(): void {
  if (state[1] === 0 || state[2] !== 0 || scheduled) return;
  scheduled = true;
  queueMicrotask(send);
}

// process.exit() ends a turn before its end.
process.on('exit', send);
