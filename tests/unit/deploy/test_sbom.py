"""The bill of materials names every part that the lock files name, with its version and its hash if it has one."""

import json
import re
from pathlib import Path

from deploy.sbom import merged

ROOT = Path(__file__).parents[3]


def test_crates_packages_and_jars_stand_beside_what_python_has() -> None:
    python = {"bomFormat": "CycloneDX", "specVersion": "1.6", "components": [{"name": "aiokafka"}]}
    bill = merged(python)

    found = {one["purl"]: one for one in bill["components"][1:]}
    assert bill["components"][0] == {"name": "aiokafka"}
    assert bill["bomFormat"] == "CycloneDX"
    crates = re.findall(
        r'^checksum = "(\w{64})"', (ROOT / "streams/native/Cargo.lock").read_text(), re.MULTILINE
    )
    assert sorted(crates) == sorted(
        one["hashes"][0]["content"] for purl, one in found.items() if purl.startswith("pkg:cargo/")
    )
    assert len(crates) > 10
    echarts = json.loads((ROOT / "package.json").read_text())["dependencies"]["echarts"]
    assert found[f"pkg:npm/echarts@{echarts}"]["version"] == echarts
    assert any(purl.startswith("pkg:npm/%40chdb/lib-linux-x64-gnu@") for purl in found)
    assert any(purl.startswith("pkg:maven/org.apache.kafka/kafka_2.13@") for purl in found)
    assert len(found) == len(bill["components"]) - 1, "no part stands twice"
