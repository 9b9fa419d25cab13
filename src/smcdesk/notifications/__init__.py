"""Messages to people: the outbox, the channels they leave by, how they are worded.

May import the store, `project` and the Lab. Never market data, models or decisions: its callers pass what happened.
"""
