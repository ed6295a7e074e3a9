// Made the file dashboard.schema.json, from the published types of Grafana (Apache-2.0):
//   npm install @grafana/schema@12.4.11 ts-json-schema-generator@2 typescript@5
//   npx ts-json-schema-generator --path dashboard_schema.ts --type GatewayDashboard --jsDoc none \
//     --minify -o dashboard.schema.json      (with a tsconfig.json of strict, skipLibCheck, moduleResolution bundler)
import type { Dashboard, FieldConfig, FieldConfigSource, Panel, RowPanel } from './node_modules/@grafana/schema/dist/types/raw/dashboard/x/types.gen';
import type * as TimeSeries from './node_modules/@grafana/schema/dist/types/raw/composable/timeseries/panelcfg/x/types.gen';
import type * as Stat from './node_modules/@grafana/schema/dist/types/raw/composable/stat/panelcfg/x/types.gen';
import type * as StateTimeline from './node_modules/@grafana/schema/dist/types/raw/composable/statetimeline/panelcfg/x/types.gen';
// Grafana does not publish the type of queries of Prometheus; these members it documents.
type PrometheusDataQuery = {
  refId: string; hide?: boolean; expr: string; legendFormat?: string; instant?: boolean; range?: boolean; format?: 'time_series' | 'table'; interval?: string;
};
type Shown<Type extends string, Options, Custom> = Omit<Panel, 'type' | 'options' | 'fieldConfig' | 'targets'> & {
  type: Type;
  options: Partial<Options>;
  fieldConfig: Omit<FieldConfigSource, 'defaults'> & { defaults: Omit<FieldConfig, 'custom'> & { custom?: Partial<Custom> } };
  targets: PrometheusDataQuery[];
};
export type GatewayDashboard = Omit<Dashboard, 'panels'> & {
  panels: Array<RowPanel | Shown<'timeseries', TimeSeries.Options, TimeSeries.FieldConfig> | Shown<'stat', Stat.Options, {}> | Shown<'state-timeline', StateTimeline.Options, StateTimeline.FieldConfig>>;
};
