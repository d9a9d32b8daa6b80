"""The blocking face: `Client`, its conversations, turns and runs. Only waiting happens here."""
