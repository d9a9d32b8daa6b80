/** A `StreamFn` of pi's agents (`@mariozechner/pi-agent-core`): their turns run over a Trunkline client. */
import type { Api, Model, streamSimple } from "@mariozechner/pi-ai";
import { createAssistantMessageEventStream, registerSessionResourceCleanup } from "@mariozechner/pi-ai";
import type { Client } from "../client.js";
import type { Done } from "../events.js";
import type { Options } from "../options.js";
import type { FoundSession } from "../session-finder.js";
import { SessionFinder } from "../session-finder.js";
import type { Body, StreamOptions } from "./payload.js";
import { payloadOf } from "./payload.js";
import { requestOf } from "./request.js";
import { MessageWriter } from "./writer.js";

/** Of all turns of a `StreamFn`. What else the upstream takes, an `onPayload` hook may put into the body. */
export interface StreamSettings extends Pick<Options, "warmUp" | "resume" | "lingerMs" | "heartbeatMs"> {
  /** The session, where the agent names none. By default it is found by the history. */
  readonly sessionId?: string;
  /** Definitions of tools that run at the upstream: `{ type: "web_search" }`. */
  readonly tools?: readonly object[];
  /** Called where a turn ends well: `done.report` says what was sent of the conversation, over what, and why. */
  readonly onDone?: (done: Done) => void;
}

const TRANSPORTS = { auto: "auto", sse: "sse", websocket: "websocket", "websocket-cached": "websocket" } as const;

/** Returns what an `Agent` takes as `streamFn`. It never throws: a failure is the last event of its stream. */
export function createStreamFn(client: Client, settings: StreamSettings = {}): typeof streamSimple {
  const sessions = new SessionFinder();
  releaseWithPi(client);
  return (model, context, options: StreamOptions = {}) => {
    const stream = createAssistantMessageEventStream();
    const writer = new MessageWriter(model, stream);
    const body = async () => {
      const payload = payloadOf(model, context, options, settings.tools ?? []);
      return ((await options.onPayload?.(payload, model)) ?? payload) as Body;
    };
    void run(client, sessions, settings, { model, options, body, writer });
    return stream;
  };
}

interface Call {
  readonly model: Model<Api>;
  readonly options: StreamOptions;
  readonly body: () => Promise<Body>;
  readonly writer: MessageWriter;
}

/** One turn. Never rejects. */
async function run(client: Client, sessions: SessionFinder, settings: StreamSettings, call: Call): Promise<void> {
  const { model, options, writer } = call;
  const { signal, timeoutMs, transport = "auto", openaiWsWarmup: warmUp } = options;
  let found: FoundSession | undefined;
  let done: Done | undefined;
  try {
    const request = requestOf(await call.body());
    const { tools: _, sessionId: usual, onDone, ...own } = settings;
    const named = options.sessionId ?? usual;
    found = named === undefined ? await sessions.take(request.messages) : undefined;
    const session = { sessionId: named ?? found!.sessionId, continuation: found?.continuation };
    const more = { transport: TRANSPORTS[transport], warmUp: warmUp ?? own.warmUp, signal, timeoutMs };
    for await (const event of client.stream({ ...request, ...own, ...session, ...more })) {
      if (event.kind === "start") {
        await options.onResponse?.({ status: 200, headers: {} }, model);
        writer.begin();
      } else if (event.kind === "done") done = event;
      else writer.write(event);
    }
    await found?.settle(done);
    onDone?.(done!);
    writer.end(done!);
  } catch (error) {
    if (done === undefined) await found?.settle(undefined);
    writer.fail(error, signal?.aborted ?? false);
  }
}

const released = new WeakSet<Client>();

/** Where pi cleans up what it kept for a session, the service forgets that session, too. */
function releaseWithPi(client: Client): void {
  if (released.has(client)) return;
  released.add(client);
  registerSessionResourceCleanup((sessionId) => {
    if (sessionId !== undefined) client.releaseSession(sessionId).catch(() => undefined);
  });
}
