// Mocha's own report, and its counts in a file for scripts/test.mjs.

const { mkdirSync, writeFileSync } = require('node:fs');
const path = require('node:path');
const { Runner, reporters } = require('mocha');

const graceMilliseconds = 60_000;

class Reporter extends reporters.Spec {
  constructor(runner, options) {
    super(runner, options);
    const file = process.env.SYSTEM_TLS_TEST_COUNTS;
    if (!file) return;
    let ended = 0;
    runner.on(Runner.constants.EVENT_TEST_END, () => ended++);
    runner.once(Runner.constants.EVENT_RUN_END, () => {
      const { passes, failures, pending } = this.stats;
      // A hook that fails, or an exception after its test, ends the run: the counts alone would hide it.
      if (ended < runner.total) console.error(`not run, since a failure ended the run: ${runner.total - ended} tests`);
      mkdirSync(path.dirname(file), { recursive: true });
      writeFileSync(file, JSON.stringify({ passed: passes, failed: failures, skipped: pending }));
      // What a failed test left open must not hang the run; a good run leaves nothing.
      setTimeout(() => {
        console.error('The tests are over, but these keep the process alive:', process.getActiveResourcesInfo());
        process.exit(1);
      }, graceMilliseconds).unref();
    });
  }
}

module.exports = Reporter;
