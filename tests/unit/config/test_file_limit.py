import dataclasses
import resource

import pytest

from service.config.file_limit import FILES_BESIDES, raise_file_limit
from service.config.settings import Settings
from service.domain.errors import SettingsError


@pytest.fixture
def limits(monkeypatch):
    """The system's limit of open files, soft and hard, as it would be."""
    now = [1024, 4096]
    monkeypatch.setattr(resource, "getrlimit", lambda _: tuple(now))
    monkeypatch.setattr(resource, "setrlimit", lambda _, wanted: now.__setitem__(slice(None), wanted))
    return now


def test_the_soft_limit_of_files_is_lifted(limits):
    raise_file_limit(Settings())
    assert limits == [4096, 4096]


def test_what_cannot_fit_the_files_is_refused(limits):
    with pytest.raises(SettingsError, match="TRUNKLINE_MAX_CONNECTIONS and TRUNKLINE_MAX_TURNS need 5128"):
        raise_file_limit(dataclasses.replace(Settings(), max_connections=4000))
    assert limits == [1024, 4096]


def test_several_upstreams_need_files_together(limits):
    raise_file_limit(Settings(), 2000)
    with pytest.raises(SettingsError, match="max_connections of all upstreams and TRUNKLINE_MAX_TURNS need"):
        raise_file_limit(Settings(), 3000)


def test_where_files_have_no_limit_what_is_needed_is_asked_for(limits):
    limits[1] = resource.RLIM_INFINITY
    raise_file_limit(Settings())
    assert limits == [2000 + FILES_BESIDES, resource.RLIM_INFINITY]
