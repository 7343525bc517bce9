/** ECharts, with the parts of it that are needed; loaded when the first chart is shown. */
import { LineChart } from 'echarts/charts';
import {
  AriaComponent,
  GridComponent,
  LegendComponent,
  MarkLineComponent,
  TooltipComponent,
} from 'echarts/components';
import { type ECharts, init, use } from 'echarts/core';
import { SVGRenderer } from 'echarts/renderers';

/** A chart in an element. */
export function chartIn(element: HTMLElement): ECharts {
  use([
    AriaComponent,
    SVGRenderer,
    GridComponent,
    LegendComponent,
    LineChart,
    MarkLineComponent,
    TooltipComponent,
  ]);
  return init(element);
}
