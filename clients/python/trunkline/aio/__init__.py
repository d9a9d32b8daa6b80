"""The asyncio face: `AsyncClient`, its conversations, turns and runs. Only waiting happens here."""
