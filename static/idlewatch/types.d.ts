/**
 * Names for the types that the modules share. They are not imported where they are used: Django's hashed storage takes
 * what looks like an import in a comment for one. Nothing here runs; editors and type checkers read it.
 */

import type { Backoff as BackoffType } from "./transport/backoff.js";
import type { Client as ClientType } from "./core/client.js";
import type { Clock as ClockType, Moment as MomentType } from "./core/clock.js";
import type { Loss as LossType } from "./transport/socket.js";
import type { TabSocket as TabSocketType, TabSocketDelegate as TabSocketDelegateType } from "./transport/websocket.js";
import type { HoldHandle as HoldHandleType } from "./core/holds.js";
import type { NavigationObserver as NavigationObserverType } from "./observers/navigation.js";
import type { IdleWatch as IdleWatchType } from "./index.js";
import type { Transport as TransportType, TransportDelegate as TransportDelegateType } from "./transport/index.js";
import type { Polling as PollingType, PollingDelegate as PollingDelegateType } from "./transport/polling.js";
import type { Entry as EntryType } from "./drafts/fields.js";
import type { Frame as FrameType, Message as MessageType, StateFrame as StateFrameType } from "./core/protocol.js";
import type { State as StateType } from "./core/session.js";
import type { TopLayer as TopLayerType } from "./ui/top_layer.js";
import type { UnsavedInput as UnsavedInputType } from "./observers/unsaved.js";
import type { I18n as I18nType, Plural as PluralType } from "./ui/i18n.js";

declare global {
  type IdleWatch = IdleWatchType;
  type Backoff = BackoffType;
  type Client = ClientType;
  type Clock = ClockType;
  type Moment = MomentType;
  type Loss = LossType;
  type TabSocket = TabSocketType;
  type TabSocketDelegate = TabSocketDelegateType;
  type HoldHandle = HoldHandleType;
  type NavigationObserver = NavigationObserverType;
  type Entry = EntryType;
  type Transport = TransportType;
  type TransportDelegate = TransportDelegateType;
  type Polling = PollingType;
  type PollingDelegate = PollingDelegateType;
  type Frame = FrameType;
  type Message = MessageType;
  type StateFrame = StateFrameType;
  type State = StateType;
  type TopLayer = TopLayerType;
  type UnsavedInput = UnsavedInputType;
  type I18n = I18nType;
  type Plural = PluralType;
}
