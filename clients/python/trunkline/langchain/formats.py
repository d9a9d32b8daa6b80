"""Structured output: ask for answers that fit a schema, and read them with LangChain's own parsers."""

from operator import itemgetter
from typing import Any

from langchain_core.output_parsers import JsonOutputParser, PydanticOutputParser
from langchain_core.runnables import Runnable, RunnableMap, RunnablePassthrough
from langchain_core.utils.function_calling import convert_to_json_schema
from langchain_core.utils.pydantic import is_basemodel_subclass

from trunkline.output import strict_schema


def response_format(schema: Any, strict: bool) -> dict[str, Any]:
    """Return that of a pydantic model, a TypedDict, or a JSON Schema with a title."""
    plain = convert_to_json_schema(schema)
    made = strict_schema(plain) if strict else plain
    return {"type": "json_schema", "json_schema": {"name": plain["title"], "schema": made, "strict": strict}}


def parsed(model: Runnable[Any, Any], schema: Any, *, include_raw: bool) -> Runnable[Any, Any]:
    """Let the model's answers be read, as `BaseChatModel.with_structured_output` says."""
    is_model = isinstance(schema, type) and is_basemodel_subclass(schema)
    parser: Any = PydanticOutputParser(pydantic_object=schema) if is_model else JsonOutputParser()
    answers: Runnable[Any, Any] = model | parser
    if not include_raw:
        return answers
    good = RunnablePassthrough.assign(parsed=itemgetter("raw") | parser, parsing_error=lambda _: None)
    bad = RunnablePassthrough.assign(parsed=lambda _: None)
    return RunnableMap(raw=model) | good.with_fallbacks([bad], exception_key="parsing_error")
