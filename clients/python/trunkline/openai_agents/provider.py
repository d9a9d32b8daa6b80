"""Find models by their names, over one connection to the service."""

from typing import Unpack

from agents.models import get_default_model
from agents.models.interface import ModelProvider

from trunkline.aio.client import AsyncClient
from trunkline.openai_agents.model import TrunklineModel
from trunkline.options import Options
from trunkline.settings import DEFAULT_ADDRESS


class TrunklineProvider(ModelProvider):
    """All models of one service: `RunConfig(model_provider=TrunklineProvider("127.0.0.1:50051"))`.

    Give a client of your own for a token or TLS; it stays open when the provider is closed. `options` are for
    each call, below those of an agent's `ModelSettings`.
    """

    def __init__(self, service: str | AsyncClient = DEFAULT_ADDRESS, **options: Unpack[Options]) -> None:
        self._owns_client = isinstance(service, str)
        self.client = AsyncClient(service) if isinstance(service, str) else service
        self._options = options
        self._models: dict[str, TrunklineModel] = {}

    def get_model(self, model_name: str | None) -> TrunklineModel:
        """Return the model of this name; always the same one, since it knows the sessions."""
        name = model_name or get_default_model()
        if name not in self._models:
            self._models[name] = TrunklineModel(name, self.client, **self._options)
        return self._models[name]

    async def aclose(self) -> None:
        if self._owns_client:
            await self.client.aclose()
