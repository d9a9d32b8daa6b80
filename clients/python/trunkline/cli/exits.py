"""The exit codes of the program. Scripts rely on them."""

import grpc

from trunkline.errors import TrunklineError

OK = 0
FAILED = 1
USAGE = 2
UNAVAILABLE = 3
INTERRUPTED = 130

MEANING = {
    OK: "all went well",
    FAILED: "a call failed",
    USAGE: "the command line is invalid",
    UNAVAILABLE: "the service cannot be reached, or takes no calls now",
    INTERRUPTED: "stopped with Ctrl-C",
}


def code_of(error: TrunklineError) -> int:
    return UNAVAILABLE if error.status is grpc.StatusCode.UNAVAILABLE else FAILED
