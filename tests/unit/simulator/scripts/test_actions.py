from simulator.scripts import Stream, actions


def test_each_command_of_a_shell_is_streamed():
    events = actions.shell_call(["ls", "pwd"]).events
    assert [(event.fields["command_index"], event.text) for event in events if isinstance(event, Stream)] == [
        (0, "ls"),
        (1, "pwd"),
    ]


def test_a_safety_check_belongs_to_a_warning():
    assert actions.computer_call([]).fields["pending_safety_checks"] == []
    (check,) = actions.computer_call([], warning="Look first.").fields["pending_safety_checks"]
    assert check["message"] == "Look first."


def test_an_unfinished_local_shell_call_has_no_command_yet():
    call = actions.local_shell_call(["ls", "-a"])
    assert call.begun["action"] == {"type": "exec", "command": [], "env": {}}
    assert call.fields["action"] == {"type": "exec", "command": ["ls", "-a"], "env": {}}


def test_a_custom_call_has_a_status():
    call = actions.custom_call("sql", "select 1")
    assert (call.begun["status"], call.fields["status"]) == ("in_progress", "completed")


def test_an_output_names_its_call():
    call = actions.custom_call("sql", "select 1", call_id="c")
    assert call.fields["call_id"] == actions.custom_output("1", "c").fields["call_id"]


def test_a_local_shell_names_the_call_by_the_id():
    assert actions.local_shell_output("x", "c").fields["id"] == "c"
