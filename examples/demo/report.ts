// What the demonstration prints: headings, lines that were checked, and a bar where something takes time.
import { styleText } from 'node:util';

type Style = 'bold' | 'dim' | 'green' | 'red' | 'cyan';

const labelWidth = 30;
const barWidth = 30;
const clearLine = '\r\x1b[2K';

/** What was shown is not what it should be. */
export class CheckFailed extends Error {}

export function check(condition: boolean, what: string): asserts condition {
  if (!condition) throw new CheckFailed(what);
}

export class Report {
  readonly #terminal = process.stdout.isTTY === true;
  readonly #coloured = this.#terminal && process.env['NO_COLOR'] === undefined;
  #lastQuarter = 0;

  heading(text: string): void {
    console.log(`\n${this.#style('bold', text)}`);
  }

  /** Something that was checked and is as it should be. */
  passed(label: string, text = ''): void {
    console.log(`  ${this.#style('green', '✔')} ${label.padEnd(labelWidth)} ${text}`.trimEnd());
  }

  failed(label: string, text: string): void {
    console.error(`  ${this.#style('red', '✘')} ${label.padEnd(labelWidth)} ${text}`);
  }

  /** What belongs to the line above. */
  detail(text: string): void {
    console.log(`    ${this.#style('dim', text)}`);
  }

  figure(label: string, text: string): void {
    console.log(`    ${label.padEnd(labelWidth)} ${this.#style('cyan', text)}`);
  }

  /** A figure beside others of its kind. @param fraction - of the largest one */
  bar(label: string, fraction: number, text: string): void {
    const bar = '█'.repeat(Math.max(1, Math.round(fraction * barWidth))).padEnd(barWidth);
    console.log(`    ${label.padEnd(labelWidth)} ${this.#style('cyan', bar)} ${text}`);
  }

  /**
   * A bar that grows in place; where lines cannot be replaced, one line for each quarter.
   *
   * @param fraction - 0 to 1; 1 ends the bar
   */
  progress(label: string, fraction: number): void {
    const filled = Math.round(fraction * barWidth);
    const bar = `    ${label.padEnd(labelWidth)} [${'#'.repeat(filled)}${'-'.repeat(barWidth - filled)}] ${percent(fraction)}`;
    if (this.#terminal) process.stdout.write(fraction >= 1 ? clearLine : clearLine + bar);
    else this.#printQuarter(bar, Math.floor(fraction * 4));
  }

  #printQuarter(bar: string, quarter: number): void {
    if (quarter > this.#lastQuarter) console.log(bar);
    this.#lastQuarter = quarter >= 4 ? 0 : quarter;
  }

  #style(style: Style, text: string): string {
    return this.#coloured ? styleText(style, text) : text;
  }
}

const percent = (fraction: number): string => `${Math.round(fraction * 100)} %`.padStart(5);
