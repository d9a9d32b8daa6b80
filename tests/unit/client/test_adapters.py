import importlib
import importlib.util

import pytest

MISSING = {"langchain": "langchain_core", "openai_agents": "agents", "pydantic_ai": "pydantic_ai"}
"""An adapter → a package that it needs, and that the tests' own environment lacks."""


@pytest.mark.parametrize("adapter", MISSING)
def test_an_adapter_without_its_framework_says_what_to_install(adapter):
    assert importlib.util.find_spec(MISSING[adapter]) is None
    extra = adapter.replace("_", "-")
    with pytest.raises(ImportError, match=rf"pip install trunkline\[{extra}\]"):
        importlib.import_module(f"trunkline.{adapter}")
