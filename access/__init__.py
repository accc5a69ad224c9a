"""Which door opens, for whom, from when to when. Locks and grants arrive with the first lock; no code exists yet."""
