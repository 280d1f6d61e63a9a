"""The bill of materials: what `cyclonedx-py` finds in the Python environment, with Rust's, npm's and Maven's parts.

`make sbom` runs it: `python -m deploy.sbom PYTHON.json` prints the whole, CycloneDX 1.6.
"""

import json
import sys
import tomllib
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).parents[1]
_POM: Final = "{http://maven.apache.org/POM/4.0.0}"


def merged(python: dict[str, Any], root: Path = ROOT) -> dict[str, Any]:
    """The bill of the Python environment with the components of the others."""
    others = [
        *_crates(tomllib.loads((root / "streams/native/Cargo.lock").read_text())),
        *_packages(json.loads((root / "package.json").read_text())),
        *_jars(root / "deploy/kafka/pom.xml"),
    ]
    return {**python, "components": [*python.get("components", []), *others]}


def _crates(lock: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The crates of the native core; cargo refuses one whose checksum is another."""
    for crate in lock["package"]:
        if "source" in crate:
            yield {
                **_library("cargo", crate["name"], crate["version"]),
                "hashes": [{"alg": "SHA-256", "content": crate["checksum"]}],
            }


def _packages(package: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """What comes from npm: exact versions, without dependencies of their own."""
    for name, version in {**package["dependencies"], **package["optionalDependencies"]}.items():
        yield _library("npm", name.replace("@", "%40"), version, name)


def _jars(pom: Path) -> Iterator[dict[str, Any]]:
    """What Maven fetches for the sandbox's Kafka; no part of a deployment."""
    for one in ET.parse(pom).getroot().iter(f"{_POM}dependency"):  # noqa: S314 (our own file)
        group, artifact, version = (
            one.findtext(f"{_POM}{part}", "") for part in ("groupId", "artifactId", "version")
        )
        yield {
            **_library("maven", f"{group}/{artifact}", version, artifact),
            "group": group,
            "scope": "optional",
        }


def _library(kind: str, path: str, version: str, name: str = "") -> dict[str, Any]:
    purl = f"pkg:{kind}/{path}@{version}"
    return {"type": "library", "bom-ref": purl, "name": name or path, "version": version, "purl": purl}


if __name__ == "__main__":
    json.dump(merged(json.loads(Path(sys.argv[1]).read_text())), sys.stdout, indent=2)
    sys.stdout.write("\n")
