"""A stand-in for YooKassa: API v3, its hosted payment page and its notifications. Money is integer minor units."""
