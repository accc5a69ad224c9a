"""Servers that come with the checkout: PostgreSQL and a broker from PyPI wheels, and the supervisor behind `make run`.

Nothing here is imported by the product: the rooms only ever see DATABASE_URL and REDIS_URL.
"""
