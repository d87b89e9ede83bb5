// Handshakes that are paused in a callback when their process ends.

/** `asked()` resolves when so many questions wait; they are answered by calling what is in `answers`. */
export const asking = `
  const answers = [];
  let told = () => {};
  const verify = () => new Promise(resolve => {
    answers.push(resolve);
    told();
  });
  const asked = async count => {
    while (answers.length < count) await new Promise(resolve => { told = resolve; });
  };
`;

/** What ends the process, and its code. */
export const pausedEndings = [
  ['process.exit()', 'process.exit(7);', 7],
  ['process.exit() in the function', 'answers[0](new Promise(() => process.exit(7)));', 7],
  ['an uncaught error', 'setImmediate(() => { throw new Error("thrown on purpose"); });', 1],
  ['a rejection that nobody handles', 'Promise.reject(new Error("thrown on purpose"));', 1],
  ['process.exit() right after an answer', 'for (const answer of answers) answer(true); process.exit(7);', 7],
] as const;
