"""Models from the hub, against a loopback server that speaks the hub's protocol."""

import json
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from embedding_data import save_tiny_model, save_with_dense

COMMIT = "a" * 40
CODE = """
import sys, json
from pathlib import Path
from embedding_data import findings
from concept_transfer.embeddings.model_files import locate
from concept_transfer.embeddings.providers import embed
from concept_transfer.errors import StudyError
from concept_transfer.embeddings.transformers_embedding import TransformersEmbedding
config = TransformersEmbedding(provider="transformers", **json.loads(sys.argv[2]))
try:
    if sys.argv[1] == "locate":
        print(locate("e", config, Path()).revision)
    else:
        table = embed("e", config, findings(2), Path())
        print(table.card.revision, *table.vectors.shape, "torch" in sys.modules)
except StudyError as error:
    print(error)
"""


@pytest.fixture(scope="module")
def hub(tmp_path_factory):
    """Serves owner/tiny and owner/dense at one commit; owner/gated asks for access; nothing else
    exists."""
    tiny = save_tiny_model("bert", tmp_path_factory.mktemp("hub"))
    dense = save_with_dense(tmp_path_factory.mktemp("dense"), tiny)
    models = {
        folder: {str(f.relative_to(path)): f.read_bytes() for f in path.rglob("*") if f.is_file()}
        for folder, path in (("tiny", tiny), ("dense", dense))
    }

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            path = self.path.split("?")[0]
            if "/gated" in path:
                return self.reply(403, b"{}", {"X-Error-Code": "GatedRepo"})
            name = next((name for name in models if f"/{name}" in path), None)
            if name is None:
                return self.reply(401, b"{}", {"X-Error-Code": "RepoNotFound"})
            files = models[name]
            if path.startswith("/api/models"):
                if path.endswith("nowhere"):
                    return self.reply(404, b"{}", {"X-Error-Code": "RevisionNotFound"})
                if "/tree/" in path:
                    tree = [
                        {"type": "file", "path": file, "size": len(content), "oid": "0" * 40}
                        for file, content in files.items()
                    ]
                    return self.reply(200, json.dumps(tree).encode(), {})
                listed = [{"rfilename": file} for file in files]
                content = {"id": f"owner/{name}", "sha": COMMIT, "siblings": listed}
                return self.reply(200, json.dumps(content).encode(), {})
            content = files[path.partition("/resolve/")[2].partition("/")[2]]
            headers = {"ETag": f'"{hash(content):x}"', "X-Repo-Commit": COMMIT}
            return self.reply(200, content, headers)

        do_HEAD = do_GET

        def reply(self, status, content, headers):
            self.send_response(status)
            for name, value in {"Content-Length": str(len(content)), **headers}.items():
                self.send_header(name, value)
            self.end_headers()
            if self.command == "GET":
                self.wfile.write(content)

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()


@pytest.fixture
def run(tmp_path, repository, monkeypatch):
    """The embedding in a process of its own: huggingface_hub reads its address once."""

    def start(endpoint, action="locate", home="hub", **keys):
        monkeypatch.setenv("HF_ENDPOINT", endpoint)
        monkeypatch.setenv("HF_HOME", str(tmp_path / home))
        monkeypatch.setenv("HF_HUB_DISABLE_XET", "1")
        monkeypatch.setenv("CONCEPT_TRANSFER_CACHE", str(tmp_path / "cache"))
        ran = subprocess.run(
            [sys.executable, "-c", CODE, action, json.dumps(keys)],
            capture_output=True,
            text=True,
            cwd=repository / "tests",
        )
        assert ran.returncode == 0, ran.stderr
        return ran.stdout.strip()

    return start


NOWHERE = "http://127.0.0.1:9"


def test_a_model_is_fetched_and_its_commit_recorded(hub, run):
    assert run(hub, model="owner/tiny") == COMMIT
    assert run(NOWHERE, model="owner/tiny") == COMMIT


def test_dense_layers_are_fetched_with_their_model(hub, run):
    assert run(hub, "embed", model="owner/dense", pooling="mean") == f"{COMMIT} 7 5 True"


def test_known_texts_of_a_pinned_commit_need_neither_model_nor_network(hub, run):
    pinned = {"model": "owner/tiny", "revision": COMMIT}
    assert run(hub, "embed", **pinned) == f"{COMMIT} 7 16 True"
    assert run(NOWHERE, "embed", home="empty", **pinned) == f"{COMMIT} 7 16 False"


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ({"model": "owner/gated"}, ["is gated", "hf auth login"]),
        ({"model": "owner/typo"}, ["neither a folder here nor a public model"]),
        ({"model": "owner/tiny", "revision": "nowhere"}, ["no revision 'nowhere'"]),
        ({"model": "not a model!"}, ["neither a folder here nor a hub id"]),
    ],
)
def test_what_the_hub_refuses_is_explained(hub, run, keys, words):
    told = run(hub, **keys)
    assert all(word in told for word in words), told


def test_an_unreachable_hub_says_how_to_use_a_folder(run):
    told = run(NOWHERE, model="owner/tiny")
    assert "cannot be reached" in told
    assert "--local-dir FOLDER" in told
    assert "model: FOLDER" in told
