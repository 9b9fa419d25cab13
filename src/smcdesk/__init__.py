"""The Desk: the application around the Lab, in rooms on floors; docs/architecture.md has the plan of them.

A room imports only from the floors below it, and the Lab. It may import what `pyproject.toml` allows; never is there an
import from the Lab to the Desk.
"""

from smcdesk.project import telemetry  # before any library that would report

__all__ = ["telemetry"]
