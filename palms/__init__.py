"""What every room shares: settings, addresses, errors, clock, money, durable intents. No business rule lives here."""
