"""Run the agents of the OpenAI Agents SDK over Trunkline: `TrunklineProvider`, or one `TrunklineModel`."""

from trunkline.openai_agents.model import TrunklineModel
from trunkline.openai_agents.provider import TrunklineProvider

__all__ = ["TrunklineModel", "TrunklineProvider"]
