"""docs/request.md: the files that a request passes are those that it names, and few."""

import json
import re

from plumbline_tests.processes import new_python
from tests import measured
from tests.core.test_production import SAFE
from tests.postgres import ROOT

PAGE = (ROOT / "docs/request.md").read_text()
MOST = {"GET /api/v1/posts/{post_id}": 14, "POST /api/v1/posts with an Idempotency-Key": 23}

measured_url = measured.measured_url  # a fixture


def test_page_names_each_file_that_a_request_passes(measured_url: str) -> None:
    production = SAFE | {
        "ALLOWED_HOSTS": "127.0.0.1",
        "ALLOW_UNSAFE_DATABASE": "true",
        "TRUSTED_PROXIES": "192.0.2.0/24",
    }
    process = new_python("-m", "tests.passed_files", **production | {"DATABASE_URL": measured_url})
    assert process.returncode == 0, process.stderr[-3000:]

    for request, files in json.loads(process.stdout).items():
        section = PAGE.partition(f"## {request}")[2].partition("\n## ")[0]
        named = re.findall(r"^\d+\. `([\w/.]+)`", section, re.MULTILINE)
        assert named == files
        assert len(files) <= MOST[request]
