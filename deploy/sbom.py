"""A bill of materials of the image, from its lock file: `python -m deploy.sbom > sbom.json`.

CycloneDX 1.6 (https://cyclonedx.org/docs/1.6/json/), which `pip-audit` and other scanners read. The same lock gives the
same bytes.
"""

import json
import re
import sys
from pathlib import Path
from typing import Any

LOCK = Path(__file__).with_name("requirements.lock")
_PACKAGE = re.compile(r"^([A-Za-z0-9_.-]+)==([^\s;\\]+)((?:[^\n]*\\\n)*[^\n]*)", re.MULTILINE)
_HASH = re.compile(r"--hash=sha256:([0-9a-f]{64})")


def bill(lock: str) -> dict[str, Any]:
    """Return the document for the text of a lock file."""
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {"component": {"type": "application", "name": "returpost"}},
        "components": [
            {
                "type": "library",
                "name": name,
                "version": version,
                "purl": f"pkg:pypi/{name.lower()}@{version}",
                "hashes": [{"alg": "SHA-256", "content": digest} for digest in _HASH.findall(rest)],
            }
            for name, version, rest in _PACKAGE.findall(lock)
        ],
    }


if __name__ == "__main__":
    json.dump(bill(LOCK.read_text()), sys.stdout, indent=1)
