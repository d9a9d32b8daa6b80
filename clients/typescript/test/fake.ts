/** A scripted service in this process, over real HTTP/2. */
import type { AddressInfo, Socket } from "node:net";
import type { SecureServerOptions } from "node:http2";
import { createSecureServer, createServer } from "node:http2";
import assert from "node:assert/strict";
import type { TestContext } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import type { MessageInitShape } from "@bufbuild/protobuf";
import { create } from "@bufbuild/protobuf";
import type { HandlerContext } from "@connectrpc/connect";
import { Code, ConnectError } from "@connectrpc/connect";
import { connectNodeAdapter } from "@connectrpc/connect-node";
import type { Client, ConnectOptions } from "../src/node.js";
import { connect, TrunklineError, user } from "../src/node.js";
import { BadRequestSchema, ErrorInfoSchema, RetryInfoSchema } from "../src/gen/google/rpc/error_details_pb.js";
import type {
  CompactRequest,
  CompactResponseSchema,
  CompleteRequest,
  CompleteResponseSchema,
  StreamCompletionRequest,
  StreamCompletionResponseSchema,
} from "../src/gen/trunkline/v1/completion_pb.js";
import { CompletionService, Context, StopReason, Transport } from "../src/gen/trunkline/v1/completion_pb.js";
import type { Message } from "../src/gen/trunkline/v1/message_pb.js";
import { Role } from "../src/gen/trunkline/v1/message_pb.js";
import type {
  CancelTurnRequest,
  ListSessionsRequest,
  SessionTurnSchema,
  WarmSessionRequest,
} from "../src/gen/trunkline/v1/session_pb.js";
import { LineState, SessionService } from "../src/gen/trunkline/v1/session_pb.js";

export type Response = MessageInitShape<typeof StreamCompletionResponseSchema>;
type Whole = MessageInitShape<typeof CompleteResponseSchema>;
export type Answer = (request: StreamCompletionRequest, context: HandlerContext) => AsyncIterable<Response>;
type Event = NonNullable<Response["event"]>;

/** A turn, to be changed by those who need it otherwise. */
export const turn = { sessionId: "s1", model: "m", messages: [user("Hi")] };

const RETRY = { baseMs: 1, capMs: 2 };

/** Answers one streamed call after the other with what stands in `answers`; the last one answers all others. */
export class Fake {
  readonly requests: StreamCompletionRequest[] = [];
  readonly headers: Headers[] = [];
  readonly compacted: CompactRequest[] = [];
  readonly stopped: CancelTurnRequest[] = [];
  readonly released: string[] = [];
  /** What getSession lists. */
  running: MessageInitShape<typeof SessionTurnSchema>[] = [];
  /** Answers cancelTurn. */
  cancels: () => object = () => ({});
  readonly unary: (CompleteRequest | ListSessionsRequest | WarmSessionRequest)[] = [];
  /** Calls that the client left before they ended. */
  left = 0;
  /** Answers compactions. */
  compacts: () => MessageInitShape<typeof CompactResponseSchema> = () => ({});
  completes: (() => Whole | Promise<Whole>)[] = [];
  readonly #sockets = new Set<Socket>();
  readonly client: Client;
  readonly address: string;
  readonly close: () => void;

  private constructor(
    readonly answers: Answer[],
    options: ConnectOptions,
    server: ReturnType<typeof createServer | typeof createSecureServer>,
  ) {
    this.address = `127.0.0.1:${(server.address() as AddressInfo).port}`;
    this.client = connect(this.address, { retry: RETRY, ...options });
    server.on("connection", (socket: Socket) => this.#sockets.add(socket));
    this.close = () => {
      this.client.close();
      this.drop();
      server.close();
    };
  }

  static async start(
    test: TestContext,
    answers: Answer | Answer[],
    options: ConnectOptions = {},
    tls?: SecureServerOptions,
  ): Promise<Fake> {
    let fake: Fake;
    const handler = connectNodeAdapter({
      routes: (router) => {
        router.service(CompletionService, {
          streamCompletion: (request, context) => fake.#stream(request, context),
          complete: (request, context) => fake.#complete(request, context),
          compact: (request) => {
            fake.compacted.push(request);
            return fake.compacts();
          },
        });
        router.service(SessionService, {
          warmSession: (request) => {
            fake.unary.push(request);
            return { session: { sessionId: request.sessionId, live: true, lineState: LineState.IDLE } };
          },
          cancelTurn: (request) => {
            fake.stopped.push(request);
            return fake.cancels();
          },
          getSession: ({ sessionId }) => {
            if (fake.running.length > 0) return { session: { sessionId, runningTurns: fake.running } };
            throw ours(Code.NotFound, "SESSION_NOT_FOUND", { sent: "false" });
          },
          listSessions: (request) => {
            fake.unary.push(request);
            const last = request.pageToken === "more";
            return { sessions: [{ sessionId: last ? "b" : "a", turns: 2n }], nextPageToken: last ? "" : "more" };
          },
          releaseSession: ({ sessionId }) => {
            fake.released.push(sessionId);
            return {};
          },
        });
      },
    });
    const server = tls ? createSecureServer(tls, handler) : createServer(handler);
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    fake = new Fake([answers].flat(), options, server);
    test.after(fake.close);
    return fake;
  }

  /** Breaks all connections, as a dying process does. */
  drop(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  async *#stream(request: StreamCompletionRequest, context: HandlerContext): AsyncGenerator<Response> {
    this.requests.push(request);
    this.headers.push(context.requestHeader);
    let ended = false;
    context.signal.addEventListener("abort", () => {
      if (!ended) this.left += 1;
    });
    const answer = this.answers[Math.min(this.requests.length, this.answers.length) - 1];
    try {
      yield* answer!(request, context);
    } finally {
      if (!context.signal.aborted) ended = true;
    }
  }

  #complete(request: CompleteRequest, context: HandlerContext) {
    this.unary.push(request);
    this.headers.push(context.requestHeader);
    const answer = this.completes[Math.min(this.unary.length, this.completes.length) - 1];
    return answer?.() ?? done().value;
  }
}

export const start: Event = {
  case: "start",
  value: { turnId: "t1", model: "m-1", transport: Transport.WEBSOCKET, context: Context.FULL },
};

export function textDelta(delta: string, contentIndex = 0): Event {
  return { case: "textDelta", value: { delta, contentIndex } };
}

export function answer(text: string): MessageInitShape<typeof CompleteResponseSchema>["message"] {
  return { role: Role.ASSISTANT, parts: [{ part: { case: "text", value: { text } } }] };
}

export function done(message = answer("Hello."), stopReason = StopReason.STOP) {
  const report = {
    responseId: "resp_1",
    transport: Transport.WEBSOCKET,
    transportReason: "preferred",
    context: Context.FULL,
    contextReason: "first_turn",
    attempts: 1,
    bytesSent: 120n,
    bytesSaved: 5_000_000_000n,
    timings: { firstContent: { seconds: 1n, nanos: 500_000 } },
  };
  const usage = { inputTokens: 3n, outputTokens: 2n, totalTokens: 5n };
  return { case: "done" as const, value: { message, stopReason, usage, report, model: "m-1", provider: "fake" } };
}

/** The end of a turn in which the model calls tools. */
export function asks(...calls: { callId: string; name: string; arguments: string }[]): Event {
  const parts = calls.map((call) => ({ part: { case: "toolCall" as const, value: call } }));
  return done({ role: Role.ASSISTANT, parts }, StopReason.TOOL_USE);
}

/** An answer of these events. */
export function says(...events: Event[]): Answer {
  return async function* () {
    for (const [index, event] of events.entries()) yield { event, sequence: BigInt(index + 1) };
  };
}

/** What an answer says first, and then fails with. */
export function fails(error: ConnectError, ...events: Event[]): Answer {
  return async function* (request, context) {
    yield* says(...events)(request, context);
    throw error;
  };
}

/** Says this and then nothing, until the client leaves. */
export function hangs(...events: Event[]): Answer {
  return async function* (request, context) {
    yield* says(...events)(request, context);
    await new Promise((resolve) => context.signal.addEventListener("abort", resolve));
  };
}

/** A failure as the service reports it. */
export function ours(
  code: Code,
  reason: string,
  metadata: Record<string, string> = {},
  retryAfterMs?: number,
  domain = "trunkline",
): ConnectError {
  const details: ConnectError["details"] = [{ desc: ErrorInfoSchema, value: { reason, domain, metadata } }];
  if (retryAfterMs !== undefined) {
    details.push({ desc: RetryInfoSchema, value: { retryDelay: { nanos: retryAfterMs * 1e6 } } });
  }
  if (code === Code.InvalidArgument) {
    const fieldViolations = [{ field: "model", description: "is required" }];
    details.push({ desc: BadRequestSchema, value: create(BadRequestSchema, { fieldViolations }) });
  }
  return new ConnectError("what happened", code, undefined, details as never);
}

export function textsOf(messages: readonly Message[]): string[] {
  return messages.map((message) => {
    const texts = message.parts.map(({ part }) => (part.case === "text" ? part.value.text : `<${part.case}>`));
    return `${Role[message.role]}: ${texts.join("+")}`;
  });
}

export async function until(holds: () => boolean): Promise<void> {
  for (let waited = 0; !holds(); waited += 10) {
    assert.ok(waited < 5000, "it never came true");
    await sleep(10);
  }
}

/** What a call fails with. */
export async function failure(promise: Promise<unknown>): Promise<TrunklineError> {
  try {
    await promise;
  } catch (error) {
    assert.ok(error instanceof TrunklineError, String(error));
    return error;
  }
  throw new assert.AssertionError({ message: "nothing was thrown" });
}
