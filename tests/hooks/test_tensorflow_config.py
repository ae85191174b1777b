"""The list of models: what is kept, who waits for whom, and what a killed worker leaves."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from google.protobuf import text_format

from model_lifecycle.core.errors import Conflict, Invalid, NotFound, Unavailable
from model_lifecycle.hooks.grpc_calls import message_class
from model_lifecycle.hooks.tensorflow_calls import DESCRIPTOR
from model_lifecycle.hooks.tensorflow_config import FILE, LOCK, ModelList

KIND = message_class(DESCRIPTOR, "tensorflow.serving.ModelServerConfig")
BY_HAND = """
model_config_list {
  config {
    name: "by-hand"
    base_path: "/elsewhere/by-hand"
    model_platform: "tensorflow"
    model_version_policy { latest { num_versions: 2 } }
    logging_config {
      log_collector_config { type: "" filename_prefix: "/logs/by-hand" }
      sampling_config { sampling_rate: 0.1 }
    }
  }
}
"""


@pytest.fixture
def models(tmp_path: Path) -> ModelList:
    (tmp_path / FILE).touch()
    return ModelList(tmp_path, "/models/", KIND)


def test_an_entry_is_written_as_the_server_reads_it(models: ModelList) -> None:
    config = models.read()
    entry = models.entry(config, "churn", make=True)
    entry.model_version_policy.specific.versions[:] = [3, 4]
    entry.version_labels["stable"] = 3
    models.write(config)
    assert " ".join(models.path.read_text().split()) == (
        'model_config_list { config { name: "churn" base_path: "/models/churn" model_platform: "tensorflow" '
        "model_version_policy { specific { versions: 3 versions: 4 } } "
        'version_labels { key: "stable" value: 3 } } }'
    )
    assert models.read() == config
    assert models.entry(config, "other") is None


def test_what_others_wrote_is_kept(models: ModelList) -> None:
    models.path.write_text(BY_HAND)
    config = models.read()
    for version in (4, 3, 4):
        models.add(config, "churn", version)
    assert list(models.entry(config, "churn").model_version_policy.specific.versions) == [3, 4]
    for version in (3, 4, 4):
        models.remove(config, "churn", version)
    models.write(config)
    assert models.read() == text_format.Parse(BY_HAND, KIND())


def test_an_entry_that_is_written_otherwise_is_not_ours(models: ModelList) -> None:
    models.path.write_text(BY_HAND)
    with pytest.raises(Conflict, match="in a way of its own"):
        models.entry(models.read(), "by-hand")


@pytest.mark.parametrize("text", ["model_config_list { config { model_type: TENSORFLOW } }", "{", "nonsense: 1"])
def test_what_could_not_be_written_back_is_refused_and_kept(models: ModelList, text: str) -> None:
    models.path.write_text(text)
    with pytest.raises(Invalid, match="is not understood"):
        models.read()
    assert models.path.read_text() == text


def test_a_list_that_is_not_utf_8_is_refused(models: ModelList) -> None:
    models.path.write_bytes(b"\xff")
    with pytest.raises(Invalid, match="cannot read"):
        models.read()


def test_the_list_has_to_be_there_before_we_change_it(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="no list of models.*--model_config_file=/models/models.config"):
        ModelList(tmp_path, "/models", KIND).read()
    with pytest.raises(NotFound, match="no model repository"), ModelList(tmp_path / "no", "/models", KIND).locked(1):
        pass


def test_writing_keeps_the_modes_and_leaves_nothing_beside(models: ModelList) -> None:
    models.path.chmod(0o640)
    models.write(models.read())
    assert models.path.stat().st_mode & 0o777 == 0o640
    assert [path.name for path in models.path.parent.iterdir()] == [FILE]


def test_another_process_waits_and_gives_up_in_the_end(models: ModelList) -> None:
    code = "import fcntl, os, sys, time; fd = os.open(sys.argv[1], os.O_RDWR | os.O_CREAT)\n"
    code += "fcntl.flock(fd, fcntl.LOCK_EX); print('held', flush=True); time.sleep(600)"
    command = [sys.executable, "-c", code, str(models.path.with_name(LOCK))]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None
        other.stdout.readline()
        with pytest.raises(Unavailable, match="other workers change the list"), models.locked(0.1):
            pass
        other.kill()  # a killed worker holds no lock
    with models.locked(10), pytest.raises(Unavailable), models.locked(0):
        pass
