"""Which model decides: versions in MLflow's registry, one of them the champion, and the scorer made of it."""

from __future__ import annotations

import hashlib
import importlib.metadata
import tempfile
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

import pandas as pd

from smcdesk import tracking
from smcdesk.project import paths
from smclab.candles import BadConfig, nearest
from smclab.classifier import Model
from smclab.features import features
from smclab.gates import Context
from smclab.learner import Learned
from smclab.promotion import Promotion
from smclab.reading import Reading, ReadingAt
from smclab.sentiment import Sentiment

CHAMPION, CHALLENGER = "champion", "challenger"
USES = (CHAMPION, "none")
NEEDS = ("mlflow", "numpy", "pandas", "numba", "scikit-learn", "xgboost-cpu", "TA-Lib", "cloudpickle")
_REPLACED, _PROMOTED = "replaced", "promoted"  # tags of a version: what stood before it, and how it got there
_CHECKSUM = "sha256"  # tag of a version: the checksum of its files, verified before they are unpickled


def model_name(symbol: str, timeframe: str) -> str:
    "The registered model of a market."
    return f"smclab-{symbol}-{timeframe}"


@dataclass(frozen=True)
class Champion:
    "A registered version, loaded."

    name: str
    version: str
    model: Model

    @cached_property
    def judged(self) -> dict[str, tuple[float, float]]:
        "(probability, percentile) out of fold by setup id."
        oof = self.model.oof
        return dict(
            zip(map(str, oof.index), zip(oof["p"].tolist(), oof["percentile"].tolist(), strict=True), strict=True)
        )


@dataclass(frozen=True)
class ModelCandidate:
    "A model on its way into the registry."

    name: str
    learned: Learned
    promotion: Promotion
    champion: str  # the version it was judged against; "" when there was none


def register(
    candidate: ModelCandidate,
    run_id: str,  # the active run
) -> str:  # the new version
    "Log and register a model; promote it when it won, else keep it as challenger with the reason."
    import mlflow

    mlflow.set_tracking_uri(paths.mlflow_uri())
    from smcdesk.modelling.serving import ServedModel

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # mlflow's advice on type hints and signatures
        info = mlflow.pyfunc.log_model(
            name="model", python_model=ServedModel(candidate.learned.model), pip_requirements=requirements(),
            metadata={"verdict": candidate.learned.verdict},
        )  # fmt: skip
    c, won = tracking.client(), candidate.promotion
    if candidate.name not in {m.name for m in c.search_registered_models(max_results=1000)}:
        c.create_registered_model(candidate.name)
    tags = {
        "reason": won.reason, "verdict": candidate.learned.verdict, "kind": candidate.learned.model.kind,
        "rows": str(candidate.learned.model.n_rows), "judged_against": candidate.champion or won.against,
    }  # fmt: skip
    created = c.create_model_version(candidate.name, info.model_uri, run_id=run_id, tags=tags, model_id=info.model_id)
    _add_checksum(candidate.name, created.version)
    if won.promote:
        promote(candidate.name, created.version, how="by training")
    else:
        c.set_registered_model_alias(candidate.name, CHALLENGER, created.version)
    return str(created.version)


def requirements() -> list[str]:
    "What a stored model needs, in the versions it was made with."
    return [f"{name}=={importlib.metadata.version(name)}" for name in (*NEEDS, "smclab")]


def _aliases(name: str) -> dict[str, str]:
    "The registered model's aliases, empty where there is no such model."
    from mlflow.exceptions import MlflowException

    try:
        return {alias: str(v) for alias, v in tracking.client().get_registered_model(name).aliases.items()}
    except MlflowException as error:
        if error.error_code != "RESOURCE_DOES_NOT_EXIST":
            raise
        return {}


def _names() -> list[str]:
    "The registered models; none where there is no store yet."
    return [m.name for m in tracking.client().search_registered_models(max_results=1000)] if tracking.exists() else []


def _checked_name(name: str) -> str:
    "The name, or `BadConfig` with the nearest registered one."
    names = _names()
    if name in names:
        return name
    registered = ", ".join(names) or "none"
    raise BadConfig(
        f"there is no model {name!r}{nearest(name, names)} Registered: {registered}; smcdesk model train makes one"
    )


def promote(
    name: str,
    version: str,
    how: str = "by hand",
) -> str:  # the version that stood before; "" when none did
    "Make a version the champion."
    name = _checked_name(name)
    c = tracking.client()
    versions = [str(v.version) for v in c.search_model_versions(f"name = '{name}'")]
    if str(version) not in versions:
        raise BadConfig(f"{name} has no version {version!r}; it has {', '.join(sorted(versions, key=int)) or 'none'}")
    _add_checksum(name, str(version))
    aliases = _aliases(name)
    before = aliases.get(CHAMPION, "")
    if before != str(version):
        c.set_model_version_tag(name, version, _REPLACED, before)
        c.set_model_version_tag(name, version, _PROMOTED, how)
        c.set_registered_model_alias(name, CHAMPION, version)
    if aliases.get(CHALLENGER) == str(version):
        c.delete_registered_model_alias(name, CHALLENGER)
    return before


def rollback(name: str) -> tuple[str, str]:  # (the version taken back, the one that stands now or "")
    "Put back the champion that stood before; where none did, there is none afterwards."
    now = _aliases(_checked_name(name)).get(CHAMPION, "")
    c = tracking.client()
    if not now:
        raise BadConfig(f"{name} has no champion: nothing to take back; smcdesk model promote makes one")
    before = c.get_model_version(name, now).tags.get(_REPLACED, "")
    if before:
        c.set_registered_model_alias(name, CHAMPION, before)
    else:
        c.delete_registered_model_alias(name, CHAMPION)
    return now, before


def versions(name: str | None = None) -> pd.DataFrame:  # name, version, alias, kind, rows, verdict, reason, replaced
    "Every version, the newest first."
    names = [_checked_name(name)] if name else sorted(_names())
    c, rows = tracking.client() if names else None, []
    for one in names:
        alias = {v: k for k, v in _aliases(one).items()}
        for v in sorted(c.search_model_versions(f"name = '{one}'"), key=lambda v: -int(v.version)):
            tags = {k: v.tags.get(k, "") for k in ("kind", "rows", "verdict", "reason", _REPLACED, _PROMOTED)}
            rows.append({"name": one, "version": str(v.version), "alias": alias.get(str(v.version), ""), **tags})
    columns = ["name", "version", "alias", "kind", "rows", "verdict", "reason", _REPLACED, _PROMOTED]
    return pd.DataFrame(rows, columns=columns)


def champion(name: str) -> Champion | None:
    "The champion, loaded; None where there is none. Whatever is wrong with a stored one is raised."
    version = _aliases(name).get(CHAMPION)
    return loaded(name, version) if version else None


def champions(symbol: str) -> dict[str, str]:  # timeframe -> version
    "The champions of a symbol."
    head = model_name(symbol, "")
    names = _names()
    found = {name.removeprefix(head): _aliases(name).get(CHAMPION, "") for name in names if name.startswith(head)}
    return {timeframe: version for timeframe, version in sorted(found.items()) if version}


def loaded(name: str, version: str) -> Champion:
    "A registered version; it never changes, and stays in memory."
    return _loaded(paths.mlflow_uri(), name, version)


@lru_cache(maxsize=64)
def _loaded(uri: str, name: str, version: str) -> Champion:
    "A version of the registry at a URI."
    import mlflow

    mlflow.set_tracking_uri(uri)
    tag = tracking.client().get_model_version(name, version).tags.get(_CHECKSUM, "")
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        files = _downloaded(name, version, folder)
        if not tag:  # registered before versions had one: tagged now, so that a later change is seen
            tag = _files_hash(files)
            tracking.client().set_model_version_tag(name, version, _CHECKSUM, tag)
        if (found := _files_hash(files)) != tag:
            raise BadConfig(
                f"{name} {version} is not loaded: its files have the checksum {found[:12]}…, registered was "
                f"{tag[:12]}…; somebody or something changed them, smcdesk model rollback {name} takes it back"
            )
        stored = mlflow.pyfunc.load_model(str(files))
    return Champion(name, version, stored.unwrap_python_model().model)


def _downloaded(name: str, version: str, folder: str) -> Path:
    "A copy of a version's files, so that what is verified is what is loaded."
    import mlflow

    return Path(mlflow.artifacts.download_artifacts(f"models:/{name}/{version}", dst_path=folder))


def _files_hash(folder: Path) -> str:  # sha256, 64 hex digits
    "The checksum of a model's files, by their names and bytes; MLflow's note about a download is not part of it."
    digest = hashlib.sha256()
    for path in sorted(p for p in folder.rglob("*") if p.is_file() and p.name != "registered_model_meta"):
        name = path.relative_to(folder).as_posix().encode()
        digest.update(b"%d %s %s" % (len(name), name, hashlib.sha256(path.read_bytes()).digest()))
    return digest.hexdigest()


def _add_checksum(name: str, version: str) -> None:
    "Tag a version with the checksum of its files, where it has none."
    c = tracking.client()
    if not c.get_model_version(name, version).tags.get(_CHECKSUM):
        with tempfile.TemporaryDirectory() as folder:
            c.set_model_version_tag(name, version, _CHECKSUM, _files_hash(_downloaded(name, version, folder)))


# The scorer


class Unscored(LookupError):
    "No honest probability of this setup; the reason is the message."


@dataclass(frozen=True)
class Scorer:
    "A model's probabilities of the setups it was given; of any other setup the reason why there is none."

    version: str  # of the model; "" when there is none
    answers: Mapping[str, tuple[float, float]]  # setup id -> (probability, percentile)
    reasons: Mapping[str, str]  # setup id -> why there is no answer
    otherwise: str  # why there is none for any other

    def __call__(self, candidate: Mapping[str, Any]) -> tuple[float, float]:
        "(probability, percentile 0 to 100), or `Unscored`."
        setup = str(candidate["setup_id"])
        if setup in self.answers:
            return self.answers[setup]
        raise Unscored(self.reasons.get(setup, self.otherwise))


TRAINED_ON = "the champion was trained on bars after this setup, and no fold of it judged this one"
EARLY = "fewer than 50 setups before this one were judged out of fold"


def scorer(
    found: Champion,
    candidates: pd.DataFrame,
    table: pd.DataFrame,  # their features
) -> Scorer:
    "The champion's probabilities: out of fold for setups it was trained on, its prediction for later ones."
    model, ids = found.model, candidates["setup_id"].astype(str).to_numpy()
    closes = pd.DatetimeIndex(candidates["known_close"]).as_unit("ns").asi8
    p = model.probability(model.matrix(table))
    places = model.percentile(p)
    judged, answers, reasons = found.judged, {}, {}
    for setup, close, q, place in zip(ids, closes, p, places, strict=True):
        if close > model.until_ns:
            answers[setup] = (float(q), float(place))
        elif setup not in judged:
            reasons[setup] = TRAINED_ON
        elif judged[setup][1] != judged[setup][1]:
            reasons[setup] = EARLY
        else:
            answers[setup] = judged[setup]
    return Scorer(found.version, answers, reasons, "the model was not shown this setup")


def with_scorer(
    context: Context,
    reading: Reading | ReadingAt,  # a whole tape, or one bar of it
    candidates: pd.DataFrame,  # of the tape, or of that bar
    spread_price: pd.Series | float | None,
    use: str,  # one of USES
    symbol: str,
    timeframe: str,
    sentiment: Sentiment | None = None,  # headlines, where the model was trained with them
    version: str | None = None,  # "": there was no champion; None: the one of now
) -> Context:  # the same object where conf uses no model
    "The context with the champion's scorer; a missing or broken model is a warning in every decision, not an error."
    if use not in USES:
        raise BadConfig(f"model.use must be one of {', '.join(USES)}; found {use!r}{nearest(str(use), USES)}")
    if use == "none":
        return context
    name = model_name(symbol, timeframe)
    try:
        found = champion(name) if version is None else loaded(name, version) if version else None
        if found is None:
            return replace(context, scorer=Scorer("", {}, {}, f"{name} has no champion: smcdesk model train makes one"))
        conditions = {
            "news": context.news,
            "spread_price": spread_price,
            "regime": context.regimes,
            "sentiment": sentiment,
        }
        table = features(reading, candidates, instrument=context.instrument, **conditions)
        return replace(context, scorer=scorer(found, candidates, table))
    except Exception as error:  # a stored model is foreign data: whatever is wrong with it must not stop the deciding
        why = f"the champion of {name} cannot be used: {type(error).__name__}: {error}"
        return replace(context, scorer=Scorer("", {}, {}, " ".join(why.split())[:300]))
