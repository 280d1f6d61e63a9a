from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from deploy.sandbox import kafka_jars
from tests.benchmarks.peers import kafka_streams

MAVEN = "{http://maven.apache.org/POM/4.0.0}"


def test_the_peer_is_the_kafka_streams_of_the_sandbox_s_kafka():
    broker = ET.parse(kafka_jars.FOLDER / "pom.xml").find(f"{MAVEN}version")
    peer = ET.parse(kafka_streams.FOLDER / "pom.xml").find(f"{MAVEN}properties/{MAVEN}kafka.version")
    assert broker is not None
    assert peer is not None
    assert peer.text == broker.text


def test_a_changed_source_is_built_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    marks = set()
    for text in ("one", "another"):
        folder = tmp_path / text
        (folder / "src").mkdir(parents=True)
        (folder / "pom.xml").write_text("<project/>")
        (folder / "src" / "Main.java").write_text(text)
        monkeypatch.setattr(kafka_streams, "FOLDER", folder)
        marks.add(kafka_streams.build_folder().name)
    assert len(marks) == 2
