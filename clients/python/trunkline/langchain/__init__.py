"""Run LangChain and LangGraph over Trunkline: `ChatTrunkline` is a chat model."""

try:
    from trunkline.langchain.model import ChatTrunkline
except ModuleNotFoundError as missing:
    raise ImportError("it needs LangChain: pip install trunkline[langchain]") from missing

__all__ = ["ChatTrunkline"]
