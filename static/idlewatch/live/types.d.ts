/**
 * Names for the types that the modules of the live page share, for the same reason as those of the page's client.
 * Nothing here runs; editors and type checkers read it.
 */

import type {
  ActionName as ActionNameType,
  ActionServer as ActionServerType,
  Chosen as ChosenType,
  Counted as CountedType,
  Outcome as OutcomeType,
} from "./actions.js";
import type { Dates as DatesType } from "./dates.js";
import type { ActionReport as ActionReportType } from "./dialog.js";
import type { Counts as CountsType, LiveFrame as LiveFrameType, Row as RowType, SampleRow as SampleRowType } from "./protocol.js";
import type { Query as QueryType } from "./query.js";
import type { Rows as RowsType, Shown as ShownType } from "./rows.js";
import type { Selection as SelectionType } from "./selection.js";

declare global {
  type ActionName = ActionNameType;
  type ActionServer = ActionServerType;
  type Chosen = ChosenType;
  type Counted = CountedType;
  type Outcome = OutcomeType;
  type Dates = DatesType;
  type ActionReport = ActionReportType;
  type Counts = CountsType;
  type LiveFrame = LiveFrameType;
  type Row = RowType;
  type SampleRow = SampleRowType;
  type Query = QueryType;
  type ShownRow = ShownType;
  type LiveRows = RowsType;
  type LiveSelection = SelectionType;
}
