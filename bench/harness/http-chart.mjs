// docs/http-cpu.svg: what a request costs the main thread, and beside it.

import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { init } from 'echarts';
import { example, runOf } from './http-figures.mjs';
import { bars } from './http-page.mjs';
import { readRuns } from './page.mjs';
import { short } from './report.mjs';

/** @typedef {import('./page.mjs').Run} Run */

const file = path.join(path.dirname(fileURLToPath(import.meta.url)), '../../docs/http-cpu.svg');

const parts = /** @type {const} */ ([
  ['main', "JavaScript's thread", '#1b6ca8'],
  ['others', 'other threads of the process', '#a3c9e8'],
  ['front', 'nginx', '#999999'],
]);

/** @param {{ value: number }} bar */
const labelOf = ({ value }) => (value < 1 ? '' : short(value));

/** @param {readonly Run[]} runs */
export function drawHttpChart(runs) {
  const run = runOf(runs, example);
  const shown = bars(runs).reverse();
  const chart = init(null, null, { renderer: 'svg', ssr: true, width: 820, height: 320 });
  chart.setOption({
    animation: false,
    backgroundColor: '#ffffff',
    textStyle: { fontFamily: 'sans-serif' },
    title: {
      text: 'CPU of the server for a request, microseconds',
      subtext: `64 kept connections, answers of 1 KiB; ${run?.machine.cpu}, ${run?.machine.cores} cores, node ${run?.machine.node}, ${run?.date}`,
      left: 12,
      top: 8,
      textStyle: { fontSize: 15 },
    },
    legend: { bottom: 6, itemGap: 48, data: parts.map(([, name]) => name) },
    grid: { left: 230, right: 30, top: 64, bottom: 62 },
    xAxis: { type: 'value', min: 0 },
    yAxis: { type: 'category', data: shown.map(({ name }) => name), axisLabel: { fontSize: 12 } },
    series: parts.map(([part, name, color]) => ({
      name,
      type: 'bar',
      stack: 'all',
      barWidth: 22,
      itemStyle: { color },
      data: shown.map(bar => Number(bar[part].toPrecision(5))),
      label: { show: true, color: part === 'main' ? '#ffffff' : '#222222', fontSize: 12, formatter: labelOf },
    })),
  });
  const svg = chart.renderToSVGString();
  chart.dispose();
  return svg;
}

export function writeHttpChart() {
  const runs = readRuns();
  if (runOf(runs, example) !== undefined) writeFileSync(file, `${drawHttpChart(runs)}\n`);
}
