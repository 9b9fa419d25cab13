"""Nothing is sent while no broker is connected: asked wherever orders could leave."""

import pytest
from command import smcdesk

from smcdesk.orders.guard import check_send
from smcdesk.services.scheduler import Scheduler
from smclab.candles import BadConfig


def test_send_is_refused_and_its_absence_is_not():
    check_send({"send": False})
    with pytest.raises(BadConfig, match="no broker is connected"):
        check_send({"send": True})


def test_services_and_scans_do_not_start_with_send_true(house, monkeypatch, tmp_path):
    monkeypatch.setenv("SMCDESK_STORE_URL", f"sqlite:///{tmp_path / 'store.db'}")
    page = house / "conf/test/parameters.yml"
    before = page.read_text()
    page.write_text(before + "\nsend: true\n")
    try:
        with pytest.raises(BadConfig, match="no broker is connected"):
            Scheduler("test")
        code, out, err = smcdesk("scan", "--env", "test")
    finally:
        page.write_text(before)
    assert (code, out) == (2, "") and "no broker is connected" in err
    assert not (tmp_path / "store.db").exists()
