"""Kedro's settings: the hooks, and how conf is read."""

from smcdesk.hooks import CloseDaskPool, SelectSymbols, progress, runs
from smcdesk.project import config, logs
from smcdesk.project.loader import ProjectConfigLoader

logs.silence_warnings()

# Each hook that cares about its place among the others says tryfirst or trylast.
HOOKS = (SelectSymbols(), CloseDaskPool(), runs, progress)
CONFIG_LOADER_CLASS = ProjectConfigLoader
CONFIG_LOADER_ARGS = config.loader_args()
