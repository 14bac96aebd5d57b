"""Hub names: local files without a network, one question to the hub, a message at once."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import torch
from huggingface_hub import constants

from causalnet.errors import ModelNotFoundError
from causalnet.models import load
from tests.models import tiny_gguf

COMMIT = "0123456789abcdef0123456789abcdef01234567"
NAME = "somebody/tiny"


class Hub:
    """A hub on this machine: answers with `status`, offers `files`, counts the requests."""

    def __init__(self) -> None:
        self.status, self.requests = 200, [""][:0]
        self.files: dict[str, bytes] = {}
        hub = self

        class Handler(BaseHTTPRequestHandler):
            def do_HEAD(self) -> None:
                hub.answer(self)

            def do_GET(self) -> None:
                hub.answer(self)

            def log_message(self, format: str, *args: Any) -> None:
                """Say nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.endpoint = f"http://127.0.0.1:{self.server.server_port}"

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        path = request.path.partition("?")[0]
        if NAME in path:  # the hub's client also asks for news about itself
            self.requests.append(f"{request.command} {path}")
        name = path.rpartition(f"/resolve/{COMMIT}/")[2]
        status, body = self.status, b"{}"
        if status == 200 and path.startswith("/api/models/") and "/tree/" not in path:
            siblings = [{"rfilename": file} for file in self.files]
            body = json.dumps({"id": NAME, "sha": COMMIT, "siblings": siblings}).encode()
        elif status == 200 and "/tree/" in path:
            body = json.dumps(
                [
                    {"type": "file", "path": file, "size": len(content), "oid": "0" * 40}
                    for file, content in self.files.items()
                ]
            ).encode()
        elif status == 200 and name in self.files:
            body = self.files[name]
        elif status == 200:
            status = 404
        request.send_response(status)
        request.send_header("Content-Length", str(len(body)))
        request.send_header("X-Repo-Commit", COMMIT)
        request.send_header("ETag", f'"{hash(body):x}"')
        if status == 404:
            request.send_header("X-Error-Code", "RepoNotFound")
        request.end_headers()
        if request.command == "GET":
            request.wfile.write(body)


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    made = Hub()
    thread = threading.Thread(target=made.server.serve_forever, args=(0.01,))
    thread.start()
    monkeypatch.setattr(constants, "ENDPOINT", made.endpoint)
    monkeypatch.setattr(
        constants,
        "HUGGINGFACE_CO_URL_TEMPLATE",
        made.endpoint + "/{repo_id}/resolve/{revision}/{filename}",
    )
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    yield made
    made.server.shutdown()
    thread.join()
    made.server.server_close()


@pytest.fixture
def local(tiny: Any, tmp_path: Path) -> Path:
    """A snapshot among the local hub files, as a download leaves it."""
    top = tmp_path / "hub" / "models--somebody--tiny"
    (top / "refs").mkdir(parents=True)
    (top / "refs" / "main").write_text(COMMIT)
    return tiny_gguf.write_folder(top / "snapshots" / COMMIT, tiny)


def test_local_files_are_loaded_and_nobody_is_asked(hub: Hub, local: Path, tiny: Any) -> None:
    model = load(NAME)
    ids = torch.tensor([[5, 17, 40]])
    assert torch.equal(model.module(ids).logits, tiny(ids).logits)
    assert (model.provenance.kind, model.provenance.source) == ("hub", NAME)
    assert hub.requests == []


def test_local_files_are_used_where_the_hub_is_out_of_reach(
    hub: Hub, local: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    assert load(NAME).provenance.kind == "hub"


def test_half_a_download_is_not_enough(
    hub: Hub, local: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (local / "model.safetensors").unlink()
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(ModelNotFoundError, match="no model 'somebody/tiny' among the local files"):
        load(NAME)


def test_a_model_that_the_hub_has_is_fetched_without_its_pickles(
    hub: Hub, tiny: Any, tmp_path: Path
) -> None:
    folder = tiny_gguf.write_folder(tmp_path / "remote", tiny)
    hub.files = {path.name: path.read_bytes() for path in folder.iterdir()}
    hub.files |= {"pytorch_model.bin": b"pickle", "modeling_own.py": b"raise SystemExit"}
    model = load(NAME)
    ids = torch.tensor([[5, 17, 40]])
    assert torch.equal(model.module(ids).logits, tiny(ids).logits)
    assert not [asked for asked in hub.requests if asked.endswith((".bin", ".py"))]
    asked_once = len(hub.requests)
    load(NAME)
    assert len(hub.requests) == asked_once


@pytest.mark.parametrize(("status", "said"), [(404, "nor on the hub"), (503, "the hub refused")])
def test_the_hub_is_asked_once(status: int, said: str, hub: Hub) -> None:
    hub.status = status
    with pytest.raises(ModelNotFoundError, match=said):
        load(NAME)
    assert hub.requests == [f"GET /api/models/{NAME}"]


def test_without_a_network_the_message_comes_at_once(
    hub: Hub, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from huggingface_hub import HfApi

    questions: list[str] = []
    asked = HfApi.model_info

    def counted(self: HfApi, name: str, **options: Any) -> Any:
        questions.append(name)
        return asked(self, name, **options)

    monkeypatch.setattr(HfApi, "model_info", counted)
    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")  # nobody listens there
    with pytest.raises(
        ModelNotFoundError, match=r"the hub does not answer \(ConnectError\)"
    ) as told:
        load(NAME)
    assert questions == [NAME]
    assert str(tmp_path / "hub") in told.value.possible


def test_offline_mode_asks_nobody(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(ModelNotFoundError, match="HF_HUB_OFFLINE forbids"):
        load(NAME)
    assert hub.requests == []


def test_a_name_that_cannot_be_one_is_refused(hub: Hub) -> None:
    with pytest.raises(ModelNotFoundError, match="no name that the hub could have"):
        load("somebody/a--b")
    assert hub.requests == []
