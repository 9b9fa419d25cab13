"""Kedro's settings: the hooks, and how conf is read."""

from smcdesk import project
from smcdesk.conf import Conf
from smcdesk.hooks import Crew, Safety, Symbols, progress, runs

project.hush()

# Each hook that cares about its place among the others says tryfirst or trylast.
HOOKS = (Safety(), Symbols(), Crew(), runs, progress)
CONFIG_LOADER_CLASS = Conf
CONFIG_LOADER_ARGS = project.loader_args()
