from simulator.scripts import Dialect, Drop, Say, Script


def test_a_script_takes_its_steps_as_arguments():
    script = Script(Say("Hello."), Drop(), dialect=Dialect(output=False))
    assert script.steps == (Say("Hello."), Drop())
    assert (script.dialect, script.framing) == (Dialect(output=False), None)


def test_equal_scripts_are_equal():
    assert Script(Say("a")) == Script(Say("a")) != Script(Say("b"))
