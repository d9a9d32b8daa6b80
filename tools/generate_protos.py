"""Generate from protos/trunkline/ the Python stubs, of the service and the client, and Envoy's descriptors.

protoc's root for them is `protos/`, so a file is named `trunkline/v1/x.proto` in the descriptors of both
copies, and one process can load both. Generated imports are then made relative, so that each copy
imports its own files. Envoy translates JSON by the descriptor set, which also describes the details of a
status. With --check nothing is written: the exit code is 1, and the files are listed, if what is committed
differs from the protos.
"""

import argparse
import re
import sys
import tempfile
from importlib.resources import files
from pathlib import Path

from grpc_tools import protoc

ROOT = Path(__file__).resolve().parents[1]
PROTOS = ROOT / "protos"
THIRD_PARTY = ROOT / "third_party"
COPIES = (ROOT / "service/gen", ROOT / "clients/python/trunkline/gen")
DESCRIPTORS = ROOT / "deploy/trunkline.binpb"
ERROR_DETAILS = THIRD_PARTY / "google/rpc/error_details.proto"
INIT = b'"""Generated code. Made by `make proto`, never edited."""\n'
OWN_IMPORT = re.compile(rb"^from trunkline\.v1 import ", re.MULTILINE)


def sources() -> list[Path]:
    """Return the protos of the contract."""
    return sorted(PROTOS.glob("trunkline/**/*.proto"))


def run_protoc(protos: list[Path], *arguments: str) -> None:
    """Run protoc, and exit with a message if it fails."""
    roots = [f"-I{PROTOS}", f"-I{THIRD_PARTY}", f"-I{files('grpc_tools') / '_proto'}"]
    if protoc.main(["protoc", *roots, *arguments, *map(str, protos)]):
        sys.exit("proto: protoc failed")


def generate() -> dict[Path, bytes]:
    """Return the content of a copy: relative path → bytes."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder)
        run_protoc(sources(), *(f"--{plugin}_out={out}" for plugin in ("python", "pyi", "grpc_python")))
        stubs = {path.relative_to(out): path.read_bytes() for path in out.rglob("*.py*")}
    # protoc writes an empty gRPC module for a file without services.
    stubs = {path: text for path, text in stubs.items() if "_grpc" not in path.name or b"\nclass " in text}
    packages = {parent for path in stubs for parent in path.parents}
    modules = {path: OWN_IMPORT.sub(b"from . import ", text) for path, text in stubs.items()}
    return modules | {package / "__init__.py": INIT for package in packages}


def descriptor_set() -> bytes:
    """Return the protos, the details of a status, and all that they import, as a `FileDescriptorSet`."""
    with tempfile.NamedTemporaryFile() as out:
        run_protoc([*sources(), ERROR_DETAILS], "--include_imports", f"--descriptor_set_out={out.name}")
        return Path(out.name).read_bytes()


def differences(wanted: dict[Path, bytes]) -> dict[Path, bytes | None]:
    """Compare the copies with `wanted`: file → the content it should have, or None to delete it."""
    changes: dict[Path, bytes | None] = {}
    for copy in COPIES:
        stubs = (path for path in copy.rglob("*.py*") if path.suffix != ".pyc")
        present = {path.relative_to(copy): path.read_bytes() for path in stubs}
        for path in sorted(wanted.keys() | present.keys()):
            if wanted.get(path) != present.get(path):
                changes[copy / path] = wanted.get(path)
    return changes


def all_differences() -> dict[Path, bytes | None]:
    """Compare everything that is committed with the protos, as `differences` does."""
    changes = differences(generate())
    wanted = descriptor_set()
    if not DESCRIPTORS.exists() or DESCRIPTORS.read_bytes() != wanted:
        changes[DESCRIPTORS] = wanted
    return changes


def write(path: Path, content: bytes | None) -> None:
    if content is None:
        path.unlink()
    else:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


def main() -> None:
    parser = argparse.ArgumentParser(description="Generate the Python stubs and Envoy's descriptor set.")
    parser.add_argument("--check", action="store_true", help="only compare with what is committed")
    check = parser.parse_args().check
    changes = all_differences()
    for path, content in changes.items():
        print(f"proto: {path.relative_to(ROOT)} {'differs' if check else 'updated'}")
        if not check:
            write(path, content)
    if check and changes:
        sys.exit("proto: what is committed differs from the protos; run `make proto`")


if __name__ == "__main__":
    main()
