"""How large the explorer's page of 20,000 bars is, and how long a pan takes: `python benchmarks/bench_explorer.py`.

The page is the one `explore(...).write_html(include_plotlyjs=True)` writes. Headless Chromium opens it, moves the view by
`Plotly.relayout` and waits until the chart is drawn anew and the frame painted; the median and the worst of 20 such moves
are reported, of which some have to fetch what is now in view. Without Chromium only the size is. Give a path to keep the
page.
"""

import http.server
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

from smclab import tapes
from smclab.charts import FIRST_LAYERS, LAYERS, explore
from smclab.reader import read

BARS, MOVES, WAIT_S = 20_000, 20, 120
FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--no-proxy-server",
    "--disable-sync",
    "--disable-background-networking",
    "--disable-component-update",
    "--window-size=1280,760",
]
PAN = """
const wait = () => new Promise(done => requestAnimationFrame(() => setTimeout(done, 0)));
async function pan(chart, bars, width, moves) {
  const times = [];
  await Plotly.relayout(chart, {'xaxis.range': [bars - width, bars]});
  await wait();
  const step = Math.min(width / 10, bars / 2 / moves);
  for (let k = 1; k <= moves; k++) {
    const from = bars - width - k * step, start = performance.now();
    const drawn = new Promise(done => chart.once('plotly_afterplot', done));
    await Plotly.relayout(chart, {'xaxis.range': [from, from + width]});
    await drawn;
    await wait();
    times.push(performance.now() - start);
  }
  times.sort((a, b) => a - b);
  return {median_ms: times[moves >> 1], worst_ms: times[moves - 1]};
}
addEventListener('load', async () => {
  const chart = document.querySelector('.plotly-graph-div'), out = {};
  while (!chart._fullLayout || !chart.data.length) await wait();
  await wait();
  out.first_ms = performance.now();
  for (const width of WIDTHS) out[width] = await pan(chart, BARS, width, MOVES);
  await fetch('/done', {method: 'POST', body: JSON.stringify(out)});
});
"""


def browser() -> str | None:
    """Chromium's path, None when there is none."""
    return next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


def served(page: bytes, done: threading.Event, answer: dict) -> http.server.ThreadingHTTPServer:
    """A server on loopback that gives the page and takes what it measured."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200 if self.path == "/" else 404)
            self.send_header("Content-Type", "text/html; charset=utf-8")
            self.end_headers()
            self.wfile.write(page if self.path == "/" else b"")

        def do_POST(self):
            answer.update(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(204)
            self.end_headers()
            done.set()

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


def panned(page: str, program: str, widths: tuple[int, ...]) -> dict:
    """What the page measured of itself: ms by width of the view in bars."""
    script = PAN.replace("WIDTHS", json.dumps(widths)).replace("BARS", str(BARS)).replace("MOVES", str(MOVES))
    done, answer = threading.Event(), {}
    server = served(page.replace("</body>", f"<script>{script}</script></body>").encode(), done, answer)
    home = tempfile.mkdtemp()
    command = [program, *FLAGS, f"--user-data-dir={home}", f"http://127.0.0.1:{server.server_port}/"]
    command += ["--remote-debugging-port=0"]  # or it would leave once the page is there
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True) as run:
        finished = done.wait(WAIT_S)
        run.terminate()
    server.shutdown()
    shutil.rmtree(home, ignore_errors=True)
    if not finished:
        raise SystemExit(f"{program} gave no answer within {WAIT_S} s")
    return answer


def main():
    bars = tapes.market(BARS, seed=7)
    reading = read(bars, instrument="EURUSD")
    program = browser()
    version = subprocess.run([program, "--version"], capture_output=True, text=True).stdout.strip() if program else ""
    print(
        f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}, {version or 'no Chromium'}\n"
    )
    if program is None:
        print("skipped the pan: no chromium, chromium-browser or google-chrome on the path\n")
    widths = (400, 3_000, BARS)
    print(
        f"{'layers':<10} {'build s':>8} {'page MB':>8} " + " ".join(f"{f'pan {w:,} ms':>14}" for w in widths if program)
    )
    for name, layers in (("first two", FIRST_LAYERS), ("all nine", LAYERS)):
        start = time.perf_counter()
        figure = explore(bars, reading, layers=layers, start=0, title=f"{BARS:,} made-up bars")
        took = time.perf_counter() - start
        page = figure.to_html(include_plotlyjs=True)
        if len(sys.argv) > 1:
            Path(sys.argv[1]).with_suffix(f".{len(layers)}.html").write_text(page, encoding="utf-8")
        row = f"{name:<10} {took:8.2f} {len(page.encode()) / 1e6:8.2f} "
        if program:
            ms = panned(page, program, widths)
            row += (
                " ".join(f"{ms[str(w)]['median_ms']:7.0f} {ms[str(w)]['worst_ms']:6.0f}" for w in widths)
                + f"   (first view {ms['first_ms']:.0f})"
            )
        print(row, flush=True)
    if program:
        print(f"\npan: median and worst ms of {MOVES} moves, from the call until the frame is painted, by bars in view")


if __name__ == "__main__":
    main()
