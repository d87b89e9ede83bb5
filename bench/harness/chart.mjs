// The chart of one run: CPU of each contestant as a ratio to the program in C, in the same round.

import { init } from 'echarts';
import { label } from './jobs.mjs';
import { mainFigure, mainTitle } from './report.mjs';
import { ratios } from './statistics.mjs';

/** @typedef {import('./jobs.mjs').Job} Job */
/** @typedef {import('./targets.mjs').ByContestant} ByContestant */

const colors = new Map([
  ['system-tls', '#1b6ca8'],
  ['system-tls onread', '#1b6ca8'],
  ['system-tls write', '#1b6ca8'],
  ['system-tls readInto', '#5b9bd0'],
  ['system-tls ssl.write', '#5b9bd0'],
  ['system-tls data', '#a3c9e8'],
  ['node', '#3c873a'],
  ['node onread', '#3c873a'],
  ['node write', '#3c873a'],
  ['node data', '#9fcf9d'],
  ['bun', '#c7792b'],
  ['nginx', '#777777'],
]);

const width = 1100;
const rowHeight = 17;
const titleHeight = 46;
const gap = 36;

/**
 * @param {Job} job
 * @param {ByContestant} byContestant
 */
function panelOf(job, byContestant) {
  const figure = mainFigure(job);
  const base = byContestant['c'] === undefined ? 'node' : 'c';
  const reference = byContestant[base]?.[figure];
  const names = job.contestants.map(label).filter(name => byContestant[name] !== undefined && name !== base);
  if (reference === undefined || names.length === 0) return [];
  const bars = names.map(name => ({ name, ratio: ratios(byContestant[name]?.[figure] ?? [], reference) }));
  return [{ title: `${job.name}: ${mainTitle(job)}, ratio to ${base === 'c' ? 'C' : base}`, bars: bars.reverse() }];
}

/** @typedef {ReturnType<typeof panelOf>[number]} Panel */

/** Two columns of panels. @param {Panel[]} panels */
function place(panels) {
  const tops = [titleHeight, titleHeight];
  return panels.map(panel => {
    const column = (tops[0] ?? 0) <= (tops[1] ?? 0) ? 0 : 1;
    const top = (tops[column] ?? 0) + 26;
    const height = panel.bars.length * rowHeight;
    tops[column] = top + height + gap;
    return { panel, left: 160 + (column * width) / 2, top, height };
  });
}

/**
 * @param {Job[]} jobs
 * @param {Record<string, ByContestant>} results
 * @param {string} title
 */
export function drawChart(jobs, results, title) {
  const placed = place(jobs.flatMap(job => panelOf(job, results[job.name] ?? {})));
  const height = Math.max(...placed.map(({ top, height: own }) => top + own + gap), 200);
  const chart = init(null, null, { renderer: 'svg', ssr: true, width, height });
  const small = { fontSize: 10 };
  chart.setOption({
    animation: false,
    backgroundColor: '#ffffff',
    textStyle: { fontFamily: 'sans-serif' },
    title: [
      { text: title, left: 12, top: 8, textStyle: { fontSize: 15 } },
      ...placed.map(({ panel, left, top }) => ({
        text: panel.title,
        left: left - 140,
        top: top - 20,
        textStyle: { fontSize: 11 },
      })),
    ],
    grid: placed.map(({ left, top, height: own }) => ({ left, top, width: width / 2 - 210, height: own })),
    xAxis: placed.map(({ panel }, gridIndex) => ({
      gridIndex,
      type: 'value',
      min: 0,
      max: Math.max(1.2, ...panel.bars.map(({ ratio }) => ratio.median * 1.1)),
      axisLabel: { ...small, showMaxLabel: false },
    })),
    yAxis: placed.map(({ panel }, gridIndex) => ({
      gridIndex,
      type: 'category',
      data: panel.bars.map(({ name }) => name),
      axisLabel: small,
    })),
    series: placed.map(({ panel }, index) => ({
      type: 'bar',
      xAxisIndex: index,
      yAxisIndex: index,
      data: panel.bars.map(({ name, ratio }) => ({
        value: Number(ratio.median.toFixed(3)),
        itemStyle: { color: colors.get(name) ?? '#999999' },
      })),
      label: {
        show: true,
        position: 'right',
        fontSize: 10,
        formatter: (/** @type {{ value: number }} */ { value }) => value.toFixed(2),
      },
      markLine: {
        silent: true,
        symbol: 'none',
        label: { show: false },
        lineStyle: { color: '#444444', type: 'dashed' },
        data: [{ xAxis: 1 }],
      },
    })),
  });
  const svg = chart.renderToSVGString();
  chart.dispose();
  return svg;
}
