"""How work is run: worker processes, the shard cache, and the lock that admits one run at a time."""
