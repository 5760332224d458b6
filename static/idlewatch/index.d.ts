/** What a page's own scripts may use. The frames behind it are in docs/protocol.md. */

export type Phase = "active" | "warned" | "ended";

export type Reason = "idle" | "absolute" | "closed" | "logout" | "revoked" | "replaced" | "account" | "lost";

/** Where the session stands, as the server said it last, with what became of it in this page since. */
export interface State {
  readonly type: "state";
  /** Grows with each change. */
  readonly version: number;
  readonly phase: Phase;
  /** Why it ended, or, while warned, why it is about to. Null while active, and where the server does not know. */
  readonly reason: Reason | null;
  /** Seconds until the end if nothing happens, as of when this object was made; never negative. */
  readonly remaining: number;
  /** False where the absolute limit is what is near: `extend()` changes nothing then. */
  readonly extendable: boolean;
  /** Whether work that needs no input holds the session, in any tab. */
  readonly held: boolean;
  /** Seconds. */
  readonly idle_timeout: number;
  /** Seconds before the end. */
  readonly warn_before: number;
  /** Seconds between two reports of activity. */
  readonly heartbeat: number;
  /** Once ended: where to sign in again. */
  readonly login_url?: string;
  /** Where the session is not the one that the page was made in: it is the same user's, or another's. */
  readonly page?: "renewed" | "foreign";
  /** Whether the page is cut off from the server, and goes by its own clock. */
  readonly offline: boolean;
  /** Whether the content is hidden until the server has spoken. */
  readonly hidden: boolean;
}

/** Work that keeps the session. */
export interface Hold {
  /** The work is done. Doing so again changes nothing. */
  release(): void;
}

/** What is `window.idlewatch` in the page of a signed-in user. */
export interface IdleWatch {
  /** A new object each time it is read; null until the server has spoken. */
  readonly state: State | null;
  /** The user chose to stay. To be called for a person's doing alone. */
  extend(): void;
  /**
   * Work began that needs no input: the idle clock stands still until `release()`, or until `HOLD_LIMIT`. It is renewed
   * by itself, and ends with the page.
   * @param label What the user would call the work; operators see it. 120 characters of it are kept.
   * @throws TypeError where the label is no string, or an empty one.
   */
  hold(label: string): Hold;
}

/**
 * Watch the page, for pages whose bundle brings the client: their template says `{% idlewatch script=False %}`. To be
 * called when the document has been parsed; again changes nothing.
 * @returns What is `window.idlewatch` from then on; null on the page of an anonymous user.
 */
export function start(): IdleWatch | null;

declare global {
  interface Window {
    /** Missing in the page of an anonymous user, and until the client has started. */
    readonly idlewatch?: IdleWatch;
  }

  interface DocumentEventMap {
    /** The server spoke, or the page was cut off or reached again. */
    "idlewatch:state": CustomEvent<State>;
    /** The warning begins. Cancelled, it is not shown: the page shows one of its own. */
    "idlewatch:warned": CustomEvent<State>;
    /** The session is over and the content gone. Cancelled, the page does not go on to the login by itself. */
    "idlewatch:ended": CustomEvent<State>;
    /** The user has signed in again, and the content is back as it was. */
    "idlewatch:resumed": CustomEvent<State>;
  }
}
