"""Run the agents of Pydantic AI over Trunkline: `TrunklineModel`."""

from trunkline.pydantic_ai.model import TrunklineModel

__all__ = ["TrunklineModel"]
