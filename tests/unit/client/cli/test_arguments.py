import pytest

from service.config.settings import PREFIX
from tests.integration.auth.pki import Authority
from trunkline import TLS, __version__
from trunkline.cli.arguments import ADDRESS, TOKEN, parse
from trunkline.cli.exits import USAGE
from trunkline.settings import DEFAULT_ADDRESS


@pytest.fixture(autouse=True)
def _no_environment(monkeypatch):
    for name in (ADDRESS, TOKEN):
        monkeypatch.delenv(name, raising=False)


def test_what_is_not_said():
    given = parse(["chat"])
    assert (given.command, given.address, given.token, given.tls) == ("chat", DEFAULT_ADDRESS, None, False)
    assert (given.session, given.instructions, given.transport, given.tools) == (None, "", None, [])
    assert (given.timeout, given.json, given.resume) == (None, False, False)
    assert parse(["sessions"]).address == [DEFAULT_ADDRESS]


def test_what_the_environment_says(monkeypatch):
    monkeypatch.setenv(ADDRESS, "there:1")
    monkeypatch.setenv(TOKEN, "t0ken")
    assert (parse(["warm", "s"]).address, parse(["warm", "s"]).token) == ("there:1", "t0ken")
    assert parse(["health"]).address == ["there:1"]
    given = parse(["warm", "s", "--address", "here:1", "--token", "mine"])
    assert (given.address, given.token) == ("here:1", "mine")


@pytest.mark.parametrize("command", ["sessions", "health"])
def test_several_replicas(monkeypatch, command):
    monkeypatch.setenv(ADDRESS, "there:1")
    assert parse([command, "--address", "a:1", "--address", "b:1"]).address == ["a:1", "b:1"]
    assert parse([command]).address == ["there:1"]


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["chats"],
        ["warm"],
        ["chat", "--transport", "pigeon"],
        ["chat", "--sess", "s"],
        ["sessions", "--interval", "0"],
        ["sessions", "--timeout", "soon"],
        ["health", "--timeout", "inf"],
        ["chat", "--tools", "/nowhere/tools.py"],
        ["cancel", "s"],
        ["cancel", "s", "--turn", "t", "--turn-key", "k"],
        ["health", "--ca", "/nowhere/ca.pem"],
        ["health", "--cert", "/nowhere/me.pem"],
        ["health", "--ca", __file__],
    ],
)
def test_an_invalid_command_line_is_refused(arguments, capsys):
    with pytest.raises(SystemExit) as ended:
        parse(arguments)
    assert ended.value.code == USAGE
    assert capsys.readouterr().err.startswith("usage: trunkline")


def test_tools_come_from_a_file(tmp_path):
    path = tmp_path / "tools.py"
    path.write_text("from trunkline import tool\n@tool\ndef f(x: int): ...\ndef g(): ...\n")
    assert [tool.name for tool in parse(["chat", "--tools", str(path)]).tools] == ["f"]


@pytest.mark.parametrize("source", ["", "1 / 0", "def f(): ..."])
def test_a_file_without_tools(tmp_path, capsys, source):
    path = tmp_path / "tools.py"
    path.write_text(source)
    with pytest.raises(SystemExit):
        parse(["chat", "--tools", str(path)])
    assert str(path) in capsys.readouterr().err


@pytest.mark.parametrize(
    "command", [[], ["chat"], ["sessions"], ["warm"], ["release"], ["cancel"], ["health"]]
)
def test_every_help_tells_environment_and_exit_codes(command, capsys):
    with pytest.raises(SystemExit) as ended:
        parse([*command, "--help"])
    said = capsys.readouterr().out
    assert ended.value.code == 0
    for word in (ADDRESS, TOKEN, "NO_COLOR", "130", "cannot be reached"):
        assert word in said


def test_the_version(capsys):
    with pytest.raises(SystemExit):
        parse(["--version"])
    assert capsys.readouterr().out == f"trunkline {__version__}\n"


def test_the_variables_are_none_that_the_service_refuses():
    assert not ADDRESS.startswith(PREFIX)
    assert not TOKEN.startswith(PREFIX)


def test_a_file_of_tls_turns_tls_on(tmp_path):
    path = Authority(tmp_path, "ca").path
    assert parse(["health", "--ca", str(path)]).tls == TLS(ca=str(path))
    assert parse(["health", "--tls"]).tls is True
    assert parse(["health"]).tls is False
