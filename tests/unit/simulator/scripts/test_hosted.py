import pytest

from simulator.scripts import Progress, Stream, hosted

STAGES = {
    "web_search_call": hosted.web_search("tides"),
    "file_search_call": hosted.file_search("tides"),
    "code_interpreter_call": hosted.code_interpreter("1"),
    "image_generation_call": hosted.image_generation("tide"),
    "mcp_call": hosted.mcp_call("s", "f", "{}", "x"),
    "mcp_list_tools": hosted.mcp_list_tools("s", ["f"]),
}


@pytest.mark.parametrize("kind", STAGES)
def test_a_tool_reports_its_beginning_and_its_end(kind):
    events = [event.event for event in STAGES[kind].events]
    assert (events[0], events[-1]) == (f"response.{kind}.in_progress", f"response.{kind}.completed")


def test_partial_images_are_numbered():
    partial = [event for event in hosted.image_generation("tide", 2).events if "partial" in event.event]
    assert [event.fields["partial_image_index"] for event in partial if isinstance(event, Progress)] == [0, 1]


def test_the_arguments_of_a_call_are_streamed():
    streams = [event for event in hosted.mcp_call("s", "f", "{}", "x").events if isinstance(event, Stream)]
    assert [(stream.name, stream.text) for stream in streams] == [("arguments", "{}")]


def test_the_tools_of_a_server_say_what_they_are():
    (tool,) = hosted.mcp_list_tools("s", ["f"]).fields["tools"]
    assert (tool["name"], tool["annotations"]) == ("f", {"read_only": False})
    assert isinstance(tool["description"], str)


def test_a_server_that_does_not_list_its_tools():
    item = hosted.mcp_list_tools("s", ["f"], "away")
    assert (item.fields["tools"], item.fields["error"]) == ([], "away")
    assert item.events[-1].event == "response.mcp_list_tools.failed"
