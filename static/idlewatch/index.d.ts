/** What a page's own scripts may use. The frames behind it are in docs/protocol.md. */

export type Phase = "active" | "warned" | "ended";

export type Reason = "idle" | "absolute" | "closed" | "logout" | "revoked" | "replaced" | "account" | "lost";

/** The state of the session, as the server sent it last and as of now. */
export interface State {
  readonly type: "state";
  /** Grows with each change. */
  readonly version: number;
  readonly phase: Phase;
  /** Why it ended, or, while warned, why it is about to. Null while active, and if the server does not know. */
  readonly reason: Reason | null;
  /** Seconds until the end without activity, as of when this object was made; never negative. */
  readonly remaining: number;
  /** False when the absolute timeout is near: `extend()` changes nothing then. */
  readonly extendable: boolean;
  /** Whether work that needs no input holds the session, in some tab. */
  readonly held: boolean;
  /** Seconds. */
  readonly idle_timeout: number;
  /** Seconds before the end. */
  readonly warn_before: number;
  /** Seconds between two reports of activity. */
  readonly heartbeat: number;
  /** Once ended: where to sign in again. */
  readonly login_url?: string;
  /** Set if the session is not the one that the page was made in: it is the same user's, or another's. */
  readonly page?: "renewed" | "foreign";
  /** Whether the page cannot reach the server, and uses its own clock. */
  readonly offline: boolean;
  /** Whether the content is hidden until the server answers. */
  readonly hidden: boolean;
}

/** Work that holds the session. */
export interface Hold {
  /** Release the session: the work is done. A second call changes nothing. */
  release(): void;
}

/** `window.idlewatch` on the page of a signed-in user. */
export interface IdleWatch {
  /** A new object each time it is read; null before the server has answered. */
  readonly state: State | null;
  /** Extend the session: the user has chosen to stay. Call it only for what the user does. */
  extend(): void;
  /**
   * Hold the session for work that needs no input: the idle clock stands still until `release()`, or for `HOLD_LIMIT` at
   * most. The hold is renewed by itself, and ends with the page.
   * @param label What the user would call the work; operators see it. It is cut to 120 characters.
   * @throws TypeError if the label is not a string, or is empty.
   */
  hold(label: string): Hold;
}

/**
 * Watch the page, for pages whose own bundle has the client: their template has `{% idlewatch script=False %}`. Call it when
 * the document has been parsed; a second call changes nothing.
 * @returns `window.idlewatch`; null on the page of an anonymous user.
 */
export function start(): IdleWatch | null;

declare global {
  interface Window {
    /** Missing on the page of an anonymous user, and before the client has started. */
    readonly idlewatch?: IdleWatch;
  }

  interface DocumentEventMap {
    /** The server has sent the state, or the page went offline or back online. */
    "idlewatch:state": CustomEvent<State>;
    /** The warning begins. If the event is cancelled it is not shown: the page shows its own. */
    "idlewatch:warned": CustomEvent<State>;
    /** The session is over and the content hidden. If the event is cancelled the page does not go to the sign-in page. */
    "idlewatch:ended": CustomEvent<State>;
    /** The user has signed in again, and the content is back as it was. */
    "idlewatch:resumed": CustomEvent<State>;
  }
}
