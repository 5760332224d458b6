/**
 * Names for the types that the modules share. The modules do not import them in comments: Django's hashed storage would
 * rewrite what looks like an import there. Nothing here runs; editors and type checkers read it.
 */

import type { Client as ClientType } from "./core/client.js";
import type { Clock as ClockType, Moment as MomentType } from "./core/clock.js";
import type { HoldHandle as HoldHandleType } from "./core/holds.js";
import type { Events as EventsType, View as ViewType } from "./core/presenter.js";
import type { Frame as FrameType, Message as MessageType, StateFrame as StateFrameType } from "./core/protocol.js";
import type { State as StateType } from "./core/session.js";
import type { DraftOptions as DraftOptionsType, Drafts as DraftsType } from "./drafts/drafts.js";
import type { DraftContext as DraftContextType } from "./drafts/index.js";
import type { Entry as EntryType } from "./drafts/fields.js";
import type { Kept as KeptType } from "./drafts/server.js";
import type { IdleWatch as IdleWatchType } from "./index.js";
import type { NavigationObserver as NavigationObserverType } from "./observers/navigation.js";
import type { UnsavedInput as UnsavedInputType } from "./observers/unsaved.js";
import type { MakeDrafts as MakeDraftsType } from "./page_client.js";
import type { Backoff as BackoffType } from "./transport/backoff.js";
import type { Transport as TransportType, TransportDelegate as TransportDelegateType } from "./transport/index.js";
import type { Polling as PollingType, PollingDelegate as PollingDelegateType } from "./transport/polling.js";
import type { Loss as LossType } from "./transport/socket.js";
import type { TabSocket as TabSocketType, TabSocketDelegate as TabSocketDelegateType } from "./transport/websocket.js";
import type { I18n as I18nType } from "./ui/i18n.js";
import type { TopLayer as TopLayerType } from "./ui/top_layer.js";

declare global {
  type Backoff = BackoffType;
  type Client = ClientType;
  type Clock = ClockType;
  type DraftContext = DraftContextType;
  type DraftOptions = DraftOptionsType;
  type Drafts = DraftsType;
  type Entry = EntryType;
  type Events = EventsType;
  type Frame = FrameType;
  type HoldHandle = HoldHandleType;
  type I18n = I18nType;
  type IdleWatch = IdleWatchType;
  type Kept = KeptType;
  type Loss = LossType;
  type MakeDrafts = MakeDraftsType;
  type Message = MessageType;
  type Moment = MomentType;
  type NavigationObserver = NavigationObserverType;
  type Polling = PollingType;
  type PollingDelegate = PollingDelegateType;
  type State = StateType;
  type StateFrame = StateFrameType;
  type TabSocket = TabSocketType;
  type TabSocketDelegate = TabSocketDelegateType;
  type TopLayer = TopLayerType;
  type Transport = TransportType;
  type TransportDelegate = TransportDelegateType;
  type UnsavedInput = UnsavedInputType;
  type View = ViewType;
}
