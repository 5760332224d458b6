/**
 * Names for the types that the modules of the live page share, for the same reason as `../types.d.ts`.
 * Nothing here runs; editors and type checkers read it.
 */

import type {
  ActionName as ActionNameType,
  ActionServer as ActionServerType,
  Chosen as ChosenType,
  Counted as CountedType,
  Outcome as OutcomeType,
} from "./actions.js";
import type { ActionReport as ActionReportType } from "./action_texts.js";
import type { Point as PointType } from "./chart_data.js";
import type { Dates as DatesType } from "./dates.js";
import type { LiveI18n as LiveI18nType, Plural as PluralType } from "./i18n.js";
import type { LiveConfig as LiveConfigType } from "./page.js";
import type {
  ChangesFrame as ChangesFrameType,
  Counts as CountsType,
  LiveFrame as LiveFrameType,
  PageFrame as PageFrameType,
  Row as RowType,
  SampleRow as SampleRowType,
} from "./protocol.js";
import type { Query as QueryType } from "./query.js";
import type { Results as ResultsType } from "./results.js";
import type { RowContext as RowContextType } from "./row.js";
import type { Rows as RowsType, ShownRow as ShownRowType } from "./rows.js";
import type { Selection as SelectionType } from "./selection.js";

declare global {
  type ActionName = ActionNameType;
  type ActionReport = ActionReportType;
  type ActionServer = ActionServerType;
  type ChangesFrame = ChangesFrameType;
  type Chosen = ChosenType;
  type Counted = CountedType;
  type Counts = CountsType;
  type Dates = DatesType;
  type LiveConfig = LiveConfigType;
  type LiveI18n = LiveI18nType;
  type Plural = PluralType;
  type LiveFrame = LiveFrameType;
  type LiveRows = RowsType;
  type LiveSelection = SelectionType;
  type Outcome = OutcomeType;
  type PageFrame = PageFrameType;
  type Point = PointType;
  type Query = QueryType;
  type Results = ResultsType;
  type Row = RowType;
  type RowContext = RowContextType;
  type SampleRow = SampleRowType;
  type ShownRow = ShownRowType;
}
