"""`make run`: serve until Ctrl-C, with the simulator as the upstream unless OPENAI_API_KEY is set.

All other settings are the service's own and come from the environment. This is a separate program because
`python -m service` never starts a simulator.
"""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from signal import SIGTERM, default_int_handler, signal

READY_TIMEOUT_S = 20.0

HOW_TO_CALL = """
The service listens on {address}. In another terminal, from this folder:

  npx @bufbuild/buf curl --protocol grpc --http2-prior-knowledge \\
    -d '{{"session_id": "s1", "model": "{model}",
         "messages": [{{"role": "ROLE_USER", "parts": [{{"text": {{"text": "Hello"}}}}]}}]}}' \\
    http://{address}/trunkline.v1.CompletionService/StreamCompletion
"""


@contextmanager
def running(arguments: list[str], env: Mapping[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    """Run a module of the project as a process; on leaving, terminate it and wait for its end.

    It has its own process group, so Ctrl-C reaches only this program, and the service can finish its turns
    while the simulator still answers. A second Ctrl-C terminates the process again: the service then stops
    immediately.
    """
    process = subprocess.Popen([sys.executable, "-m", *arguments], env=env, process_group=0)
    try:
        yield process
    finally:
        while process.poll() is None:
            try:
                process.terminate()
                process.wait()
            except KeyboardInterrupt:
                continue


def answers(address: str) -> bool:
    """Return whether something accepts connections at the address."""
    host, _, port = address.rpartition(":")
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=1).close()
    except OSError:
        return False
    return True


def wait_until_ready(process: subprocess.Popen[bytes], address: str) -> None:
    deadline = time.monotonic() + READY_TIMEOUT_S
    while not answers(address):
        if process.poll() is not None or time.monotonic() > deadline:
            sys.exit(f"run: nothing answers on {address}; see the reason above")
        time.sleep(0.05)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        return port


def main() -> int:
    env = dict(os.environ)
    address = env.setdefault("TRUNKLINE_LISTEN", "127.0.0.1:50051")
    if answers(address):
        sys.exit(f"run: {address} is taken; choose another: TRUNKLINE_LISTEN=127.0.0.1:50052 make run")
    with ExitStack() as stack:
        if env.get("OPENAI_API_KEY"):
            say(f"run: OPENAI_API_KEY is set: upstream is {env.get('TRUNKLINE_UPSTREAM_URL', 'the default')}")
        else:
            upstream = f"127.0.0.1:{free_port()}"
            say(f"run: OPENAI_API_KEY is not set: upstream is the simulator, on {upstream}")
            simulator = stack.enter_context(
                running(["simulator", "--port", upstream.rpartition(":")[2]], env)
            )
            wait_until_ready(simulator, upstream)
            env |= {"TRUNKLINE_UPSTREAM_URL": f"http://{upstream}/v1", "OPENAI_API_KEY": "simulator"}
        service = stack.enter_context(running(["service"], env))
        wait_until_ready(service, address)
        say(HOW_TO_CALL.format(address=address, model="gpt-5.6"))
        return service.wait()


def say(text: str) -> None:
    print(text, flush=True)


if __name__ == "__main__":
    signal(SIGTERM, default_int_handler)
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        say("run: stopped")
