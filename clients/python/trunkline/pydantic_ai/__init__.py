"""Run the agents of Pydantic AI over Trunkline: `TrunklineModel`."""

try:
    from trunkline.pydantic_ai.model import TrunklineModel
except ModuleNotFoundError as missing:
    raise ImportError("it needs Pydantic AI: pip install trunkline[pydantic-ai]") from missing

__all__ = ["TrunklineModel"]
