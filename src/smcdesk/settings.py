"""Kedro's settings: the hooks of `kedro run`, and how conf is read."""

from smcdesk.hooks import CloseDaskPool, MlflowRuns, SelectSymbols, Tracking
from smcdesk.project import config, logs
from smcdesk.project.loader import ProjectConfigLoader

logs.silence_warnings()
logs.mask_secrets()

# Each hook that cares about its place among the others says tryfirst or trylast.
HOOKS = (SelectSymbols(), CloseDaskPool(), Tracking(), MlflowRuns())
DISABLE_HOOKS_FOR_PLUGINS = ("kedro_mlflow", "kedro-mlflow")  # either spelling of it; MlflowRuns is its hook
CONFIG_LOADER_CLASS = ProjectConfigLoader
CONFIG_LOADER_ARGS = config.loader_args()
