"""A strict stand-in of the TTLock cloud (API v3), its gateways and the locks behind them."""
