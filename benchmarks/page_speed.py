"""How soon the page is there and how large it is: python benchmarks/page_speed.py [--runs 5].

Starts `demix serve` in a folder of its own and opens the start page in headless Chromium, each time in a new browser
context, so that nothing is cached. Needs the packages of `.[dev]` and chromium on the path.
"""

import argparse
import json
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright

PATIENCE_SECONDS = 60.0
# The largest paint is final once nothing more is painted; the page paints all that it shows at the start at once.
MEASURE = """() => new Promise(resolve => {
  let paint = 0;
  new PerformanceObserver(list => { for (const entry of list.getEntries()) paint = entry.startTime; })
    .observe({ type: 'largest-contentful-paint', buffered: true });
  setTimeout(() => {
    const entries = [...performance.getEntriesByType('navigation'), ...performance.getEntriesByType('resource')];
    const sum = (key) => entries.reduce((total, entry) => total + entry[key], 0);
    resolve({ paint, files: entries.length, sent: sum('transferSize'), plain: sum('decodedBodySize') });
  }, 1500);
})"""


@contextmanager
def serving(folder: Path) -> Iterator[str]:
    """Serve as long as the block lasts; give the address."""
    log = folder / "log"
    with log.open("wb") as file:
        command = [sys.executable, "-m", "demix", "serve", "--port", "0", "--workers", "0"]
        process = subprocess.Popen(command, cwd=folder, stdout=file, stderr=file)
    try:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not (found := re.search(r"http://\S+", log.read_text())):
            if time.monotonic() > deadline or process.poll() is not None:
                raise SystemExit(log.read_text())
            time.sleep(0.1)
        time.sleep(2)
        yield found.group(0)
    finally:
        process.terminate()
        process.wait()


def visit(browser: Browser, url: str) -> dict[str, float]:
    """Open the page once; return its largest paint in milliseconds, its files, bytes sent and unpacked."""
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    page = context.new_page()
    page.goto(url)
    found: dict[str, float] = page.evaluate(MEASURE)
    context.close()
    return found


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=5)
    runs = parser.parse_args().runs
    with tempfile.TemporaryDirectory() as folder, serving(Path(folder)) as url, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        visits = [visit(browser, url) for _ in range(runs + 1)][1:]  # the first starts the browser's processes
        browser.close()
    paints = sorted(each["paint"] for each in visits)
    print(
        json.dumps(
            {
                "largest_paint_ms": {"median": statistics.median(paints), "worst": paints[-1], "runs": runs},
                "files": visits[0]["files"],
                "kilobytes_sent": round(visits[0]["sent"] / 1000, 1),
                "kilobytes_unpacked": round(visits[0]["plain"] / 1000, 1),
            },
            indent=2,
        )
    )


if __name__ == "__main__":
    main()
