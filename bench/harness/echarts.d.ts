// As much of echarts as the chart needs: its own declarations want a browser's, and it may not be installed.
interface Chart {
  setOption(option: object): void;
  renderToSVGString(): string;
  dispose(): void;
}

export function init(
  element: null,
  theme: null,
  options: { renderer: 'svg'; ssr: true; width: number; height: number },
): Chart;
