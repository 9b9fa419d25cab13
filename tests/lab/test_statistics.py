"""What a ledger and a study say, held against other people's numbers and against chance."""

import itertools
import math
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from smclab import scorecard as sc
from smclab import splits
from smclab.walkforward import CHOOSE, WalkConfig, _judged, crossval, neighbours, out_of_sample, study, windows

DAYS = pd.date_range("2024-01-01", periods=500, tz="UTC", name="time").as_unit("ns")
WAVE = 0.01 * np.sin(np.arange(500.0) ** 2) + 0.0005

# By empyrical-reloaded, in an environment of its own (it brings scipy): pip install empyrical-reloaded==0.7.1, then
# r = pd.Series(WAVE, DAYS.tz_localize(None)); kw = {"annualization": 365.25}
# cum_returns_final(r), annual_return(r, **kw), sharpe_ratio(r, **kw), sortino_ratio(r, **kw), calmar_ratio(r, **kw),
# omega_ratio(r, **kw), -max_drawdown(r); the returns and the drawdown times 100
EMPYRICAL = {
    "total_return_pct": 26.718145032658235, "annual_return_pct": 18.884092899494554,
    "sharpe_annual": 1.3414702811871515, "sortino_annual": 2.018845559285211, "calmar": 2.6024812686877605,
    "omega": 1.1689099942996533, "max_drawdown_pct": 7.256187826095828,
}  # fmt: skip


def flat(index: pd.DatetimeIndex) -> pd.DataFrame:
    return pd.DataFrame(dict.fromkeys(("open", "high", "low", "close", "volume"), 1.0), index=index)


def ledger_of(returns: np.ndarray, index: pd.DatetimeIndex) -> SimpleNamespace:
    """A ledger without trades that earned these returns, one a bar."""
    equity = pd.DataFrame({"equity": 10_000 * np.cumprod(1 + returns)}, index=index)
    trades = pd.DataFrame({name: pd.Series(dtype="float64") for name in sc._TRADE_COLUMNS})
    return SimpleNamespace(trades=trades, equity=equity, start_equity=10_000.0)


def table(seed: int, shape: tuple = (24, 300), edge: float = 0.0, shared: float = 0.0) -> pd.DataFrame:
    """Daily returns of a grid of combinations; `shared` is the part of each day that is the same in all."""
    rng = np.random.default_rng(seed)
    x = (1 - shared) * rng.normal(0, 0.01, shape) + shared * rng.normal(0, 0.01, shape[1])
    x[7] += edge
    grid = pd.MultiIndex.from_product([range(4), range(shape[0] // 4)], names=["stop", "reach"])
    return pd.DataFrame(x, index=grid, columns=pd.bdate_range("2022-01-03", periods=shape[1], name="day"))


def near(x, truth: float, errors: float = 3.0) -> bool:
    """Whether the mean of x is within so many standard errors of the truth."""
    return abs(np.mean(x) - truth) < errors * np.std(x, ddof=1) / math.sqrt(len(x))


def test_ratios_are_those_of_empyrical():
    card = sc.scorecard(ledger_of(WAVE, DAYS), flat(DAYS), n_boot=0)
    assert card["value"][list(EMPYRICAL)].to_dict() == pytest.approx(EMPYRICAL, rel=1e-9)


def test_skew_and_kurtosis_are_those_of_scipy():
    # scipy 1.17.1: stats.skew(WAVE), stats.kurtosis(WAVE, fisher=False)
    assert sc.moments(WAVE)[1:] == pytest.approx((-0.013183884852033997, 1.499938986085167), rel=1e-9)


@pytest.mark.parametrize(("n_trials", "expected"), [(100, 0.9004), (46, 0.9505)])
def test_deflated_sharpe_is_the_worked_example_of_its_paper(n_trials, expected):
    """Bailey and López de Prado 2014: annual 2.5 over 1,250 days of 250 a year, variance of the tries 1/2."""
    spread = math.sqrt(0.5 / 250)
    found = sc.deflated_sharpe(
        2.5 / math.sqrt(250), 1250, n_trials=n_trials, trial_std=spread, skew=-3.0, kurtosis=10.0
    )
    assert round(found, 4) == expected


@pytest.mark.parametrize(("per_year", "years"), [(252, 2.73), (52, 2.83), (12, 3.24)])
def test_minimum_track_record_is_the_example_of_its_paper(per_year, years):
    """Bailey and López de Prado 2012: an annual Sharpe of 2 above 1 with 95 %, daily, weekly and monthly returns."""
    a_year = math.sqrt(per_year)
    assert round(sc.min_track_record(2 / a_year, benchmark=1 / a_year) / per_year, 2) == years


@pytest.mark.parametrize(("freq", "days"), [("D", 365.25), ("B", 365.25 * 5 / 7)])
def test_a_year_is_as_long_as_the_tape_says(freq, days):
    index = pd.date_range("2024-01-01", periods=260, freq=freq, tz="UTC", name="time").as_unit("ns")
    card = sc.scorecard(ledger_of(WAVE[:260], index), flat(index), n_boot=0)
    r = WAVE[:260]
    assert card.value.sharpe_annual == pytest.approx(r.mean() / r.std(ddof=1) * math.sqrt(days), rel=1e-9)
    assert f"{days:.0f} days" in card.unit.sharpe_annual


def test_deflated_sharpe_on_the_card_counts_the_tries():
    sharpes = [0.05, -0.02, 0.08, 0.01]
    card = sc.scorecard(ledger_of(WAVE, DAYS), flat(DAYS), n_boot=0, trial_sharpes=sharpes)
    sharpe, skew, kurtosis = sc.moments(WAVE)
    deflated = sc.deflated_sharpe(
        sharpe, 500, n_trials=4, trial_std=np.std(sharpes, ddof=1), skew=skew, kurtosis=kurtosis
    )
    assert card.value.deflated_sharpe_pct == pytest.approx(deflated * 100, rel=1e-6)
    assert "4 tries" in card.unit.deflated_sharpe_pct


@pytest.mark.parametrize("memory", [0.0, 0.3])
def test_intervals_hold_the_truth_about_as_often_as_they_say(memory):
    """300 tapes, days independent or with a memory: 94 % and 93 %; drawn one by one, the second would be 85 %."""
    rng, held, n = np.random.default_rng(8), 0, 250
    for k in range(300):
        x = rng.normal(size=n)
        for t in range(1, n):
            x[t] += memory * x[t - 1]
        low, high = sc.intervals(lambda at, x=x: {"mean": x[at].mean(axis=1)}, n, 300, k, n ** (1 / 3))["mean"]
        held += low < 0 < high
    assert 0.91 <= held / 300 <= 0.98


def test_runs_without_a_difference_are_rarely_told_apart():
    """100 tables of four runs on one market: 5 are promised, 8 were measured over 300, 16 is 3 errors beyond that."""
    rng, wrong = np.random.default_rng(14), 0
    for k in range(100):
        daily = pd.DataFrame(rng.normal(0, 0.01, (250, 4)) + rng.normal(0, 0.01, (250, 1)))
        wrong += sc.differences(daily, year=261.0, n_boot=1000, seed=k).beyond_chance.any()
    assert wrong <= 16


def test_probabilistic_sharpe_of_nothing_is_uniform():
    rng = np.random.default_rng(9)
    chances = []
    for _ in range(2000):
        sharpe, skew, kurtosis = sc.moments(rng.standard_t(5, 250))
        chances.append(sc.probabilistic_sharpe(sharpe, 250, skew=skew, kurtosis=kurtosis))
    share = np.array([np.mean(np.array(chances) < q) for q in (0.05, 0.25, 0.5, 0.75, 0.95)])
    assert np.abs(share - [0.05, 0.25, 0.5, 0.75, 0.95]).max() < 0.035  # 3 standard errors of 2,000


@pytest.mark.parametrize("shape", [(24, 300), (8, 200), (40, 163)])
@pytest.mark.parametrize("shared", [0.0, 0.5])
def test_noise_is_overfit_one_time_in_two(shape, shared):
    odds = [sc.overfit(table(k, shape, shared=shared), n_blocks=8) for k in range(60)]
    assert near([o.probability for o in odds], 0.5)
    assert {o.n_trimmed for o in odds} == {shape[1] % 8} and {len(o.place) for o in odds} == {math.comb(8, 4)}


def test_overfitting_does_not_ask_which_days_were_trimmed_off():
    whole, x = table(3), table(3).to_numpy()
    other = np.hstack([np.full((24, 5), 0.5), x[:, -296:]])  # 301 = 37 * 8 + 5: the five oldest go
    assert np.array_equal(sc.overfit(other, n_blocks=8).place, sc.overfit(x[:, -296:], n_blocks=8).place)
    assert sc.overfit(whole, n_blocks=8).n_days == 296


def test_study_of_noise_finds_nothing():
    config = WalkConfig(n_windows=6, n_blocks=8)
    found = [study(table(200 + k), config, longest_trade_days=1, n_boot=0).summary["value"] for k in range(50)]
    blind = pd.DataFrame(found)
    assert blind.best_sharpe_annual.min() > 0.5 and blind.degradation_sharpe.mean() > 1  # it looks good all the same
    assert near(blind.overfit_probability_pct, 50) and near(blind.test_place_pct, 50)
    assert near(blind.test_sharpe_annual, 0) and near(blind.path_sharpe_annual, 0)
    assert (blind.deflated_sharpe_pct > 95).mean() <= 0.05


def test_study_of_one_good_combination_finds_it():
    found = study(table(1, edge=0.004), WalkConfig(n_windows=6), longest_trade_days=1)
    value = found.summary["value"]
    assert found.best == (1, 1) and value.overfit_probability_pct < 5 and value.deflated_sharpe_pct > 95
    assert found.summary.low.test_sharpe_annual > 0 and value.same_choice_pct > 50
    assert value.best_neighbours_sharpe_annual < value.best_sharpe_annual / 2  # a peak, not a plateau


def test_choosing_on_the_test_days_is_noticed():
    """The offender: a window that trains on what it is judged by."""
    x = table(5).to_numpy()
    days, steps = np.arange(200, 300), neighbours(table(5).index)
    place = _judged(x, days, days, steps, WalkConfig(), 261.0)["test_place"]
    assert place == 24 / 25 and abs(place - 0.5) > 0.4


@pytest.mark.parametrize(("train", "choose"), list(itertools.product(splits.TRAIN, CHOOSE)))
@pytest.mark.parametrize("held", [0, 1.5, 6])
def test_no_choice_sees_its_test_its_purge_or_its_embargo(train, choose, held):
    config = WalkConfig(n_windows=5, train=train, choose=choose, train_blocks=2, embargo_days=2)
    before = table(11)
    first = windows(before, config, longest_trade_days=held)
    for w in first.itertuples():
        gap = pd.Timedelta(days=math.ceil(held) + 2)
        assert w.train_to + gap < w.test_from
        after = before.copy()
        hidden = after.columns > w.train_to
        after.loc[:, hidden] = np.random.default_rng(w.window).normal(0, 0.1, (len(after), hidden.sum()))
        again = windows(after, config, longest_trade_days=held)
        assert again.combination_row[: w.window + 1].tolist() == first.combination_row[: w.window + 1].tolist()


@pytest.mark.parametrize(("n_groups", "n_test"), [(4, 1), (5, 2), (6, 2), (6, 3)])
def test_every_path_runs_through_every_day_once(n_groups, n_test):
    config = WalkConfig(n_groups=n_groups, n_test=n_test)
    ways = crossval(table(2), config, longest_trade_days=1)
    assert len(ways) == math.comb(n_groups - 1, n_test - 1) and set(ways.days_n) == {300}
    same = table(2) * 0 + WAVE[:300]  # all combinations alike: whatever is chosen, each path is the tape itself
    total = crossval(same, config, longest_trade_days=1).total_return_pct
    assert total.to_numpy() == pytest.approx((np.prod(1 + WAVE[:300]) - 1) * 100)


def test_followed_days_are_the_test_days_of_the_choices():
    returns = table(4)
    walk = windows(returns, WalkConfig(n_windows=5), longest_trade_days=1)
    followed = out_of_sample(returns, walk)
    assert followed.index.is_unique and followed.index.is_monotonic_increasing
    for w in walk.itertuples():
        part = followed.loc[w.test_from : w.test_to]
        assert len(part) == w.test_days_n and (part == returns.iloc[w.combination_row][part.index]).all()


def test_inputs_stay_as_they_were():
    returns = table(6)
    before = returns.copy()
    study(returns, {"n_windows": 5}, longest_trade_days=1, n_boot=50)
    pd.testing.assert_frame_equal(returns, before)
