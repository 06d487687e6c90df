"""Validation of new addresses against a warm cache filled by a DNS server on loopback.

python -m bench.validate --scale 0.1 --json validate.json
"""

import argparse
import asyncio
import json
import sys
import time
from pathlib import Path

from rich.console import Console
from rich.table import Table

from returpost.validation.domains import Domains
from returpost.validation.lists import load
from returpost.validation.validator import Validator
from tests.ingest.validation.name_server import name_server

ADDRESSES, AT_LEAST = 200_000, 5_000
A_REQUEST = 10_000
DOMAINS = 500
WANTED = 5_000


async def measure(count: int) -> dict[str, float]:
    """Return addresses a second by the clock, and by the processor time that this process has used."""
    names = [f"domain{n}.example" for n in range(DOMAINS)]
    async with name_server({name: {"MX": [f"10 mx.{name}."]} for name in names}) as server:
        validator = Validator(Domains(["127.0.0.1"], server.port), load())
        await validator.validate([f"warm@{name}" for name in names])
        asked = server.asked.total()
        started, used = time.perf_counter(), time.process_time()
        for start in range(0, count, A_REQUEST):
            part = range(start, min(start + A_REQUEST, count))
            found = await validator.validate([f"First.Last{n}@{names[n % DOMAINS]}" for n in part])
            assert all(finding.validity == "valid" for finding in found)
        assert server.asked.total() == asked, "the cache was warm"
        wall, cpu = time.perf_counter() - started, time.process_time() - used
    return {"addresses_per_second": count / wall, "addresses_per_cpu_second": count / cpu}


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scale", type=float, default=1.0, metavar="F", help="1.0 the full size, 0.05 a quick look")
    parser.add_argument("--json", type=Path, metavar="FILE", help="where to write the figures")
    given = parser.parse_args()
    if given.scale <= 0:
        parser.error("--scale: must be above 0")
    count = max(int(ADDRESSES * given.scale), AT_LEAST)
    figures = asyncio.run(measure(count))
    table = Table("figure", "measured", "wanted", title=f"{count:,} addresses at {DOMAINS} domains")
    for name, value in figures.items():
        table.add_row(name, f"{value:,.0f}", f"{WANTED:,}")
    Console(stderr=True).print(table)
    if given.json:
        given.json.write_text(json.dumps({"addresses": count} | figures, indent=2) + "\n")
    sys.exit(0)


if __name__ == "__main__":
    main()
