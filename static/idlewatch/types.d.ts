/**
 * Names for the types that the modules share. They are not imported where they are used: Django's hashed storage takes
 * what looks like an import in a comment for one. Nothing here runs; editors and type checkers read it.
 */

import type { Backoff as BackoffType } from "./backoff.js";
import type { Client as ClientType } from "./client.js";
import type { Clock as ClockType, Moment as MomentType } from "./clock.js";
import type { Connection as ConnectionType, ConnectionDelegate as ConnectionDelegateType } from "./connection.js";
import type { HoldHandle as HoldHandleType } from "./holds.js";
import type { LeavingWatcher as LeavingWatcherType } from "./leaving.js";
import type { IdleWatch as IdleWatchType } from "./index.js";
import type { Link as LinkType, LinkDelegate as LinkDelegateType } from "./link.js";
import type { Polling as PollingType, PollingDelegate as PollingDelegateType } from "./polling.js";
import type { Entry as EntryType } from "./fields.js";
import type { Frame as FrameType, Message as MessageType, StateFrame as StateFrameType } from "./protocol.js";
import type { State as StateType } from "./session.js";
import type { Stage as StageType } from "./stage.js";
import type { UnsavedInput as UnsavedInputType } from "./unsaved.js";
import type { Words as WordsType } from "./words.js";

declare global {
  type IdleWatch = IdleWatchType;
  type Backoff = BackoffType;
  type Client = ClientType;
  type Clock = ClockType;
  type Moment = MomentType;
  type Connection = ConnectionType;
  type ConnectionDelegate = ConnectionDelegateType;
  type HoldHandle = HoldHandleType;
  type LeavingWatcher = LeavingWatcherType;
  type Entry = EntryType;
  type Link = LinkType;
  type LinkDelegate = LinkDelegateType;
  type Polling = PollingType;
  type PollingDelegate = PollingDelegateType;
  type Frame = FrameType;
  type Message = MessageType;
  type StateFrame = StateFrameType;
  type State = StateType;
  type Stage = StageType;
  type UnsavedInput = UnsavedInputType;
  type Words = WordsType;
}
