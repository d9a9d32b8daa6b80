"""Run the agents of the OpenAI Agents SDK over Trunkline: `TrunklineProvider`, or one `TrunklineModel`."""

try:
    from trunkline.openai_agents.model import TrunklineModel
    from trunkline.openai_agents.provider import TrunklineProvider
except ModuleNotFoundError as missing:
    raise ImportError("it needs the OpenAI Agents SDK: pip install trunkline[openai-agents]") from missing

__all__ = ["TrunklineModel", "TrunklineProvider"]
