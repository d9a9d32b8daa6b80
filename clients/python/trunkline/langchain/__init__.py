"""Run LangChain and LangGraph over Trunkline: `ChatTrunkline` is a chat model."""

from trunkline.langchain.model import ChatTrunkline

__all__ = ["ChatTrunkline"]
