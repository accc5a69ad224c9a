"""Stand-ins for banks, locks and messengers. The product meets them only as addresses; they never import the product."""
