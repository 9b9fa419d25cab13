"""One Kedro run inside this process, and the making again of a tracked run.

May import pipelines, hooks and what lies below. Never reports or commands.
"""
