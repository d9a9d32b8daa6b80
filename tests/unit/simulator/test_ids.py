from simulator.ids import Ids


def test_ids_are_counted_over_all_prefixes():
    ids = Ids("seed")
    assert [ids.new("resp"), ids.new("msg")] == ["resp_seed000000000001", "msg_seed000000000002"]


def test_another_seed_gives_other_ids():
    assert Ids("a").new("resp") != Ids("b").new("resp")
