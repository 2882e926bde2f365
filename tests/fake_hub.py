"""A small server that speaks what huggingface_hub asks of the Hub: repository info, tree listing,
HEAD and GET of files; a repository made, and a commit to it, by who has a token.

with FakeHub() as hub:
    first = hub.commit("dataset", "some/set", {"data/train-00000-of-00001.parquet": b"..."})
    subprocess.run(..., env={"HF_ENDPOINT": hub.url, "HF_HOME": ...})
"""

import base64
import hashlib
import json
import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote, urlsplit

API = re.compile(
    r"^/api/(?P<kind>dataset|model)s/(?P<repo>[^/]+/[^/]+)(/(?P<what>revision|tree)/(?P<revision>[^/]+))?$"
)
FILE = re.compile(
    r"^(?P<dataset>/datasets)?/(?P<repo>[^/]+/[^/]+)/resolve/(?P<revision>[^/]+)/(?P<path>.+)$"
)
WRITE = re.compile(
    r"^/api/models/(?P<repo>[^/]+/[^/]+)/(?P<what>preupload|commit)/(?P<revision>[^/]+)$"
)


class FakeHub:
    """Repositories in memory, each a history of commits; `asked` is what clients sent, `refuse` and
    `cut` are its moods, `tokens` who may write."""

    def __init__(self) -> None:
        self.commits: dict[tuple[str, str], dict[str, dict[str, bytes]]] = {}
        self.refs: dict[tuple[str, str, str], str] = {}
        self.asked: list[tuple[str, str, str | None]] = []  # method, path, Range
        self.refuse: dict[str, tuple[int, str]] = {}  # repo → status, X-Error-Code
        # path of a file → after how many bytes the connection breaks, once
        self.cut: dict[str, int] = {}
        self.tokens: dict[str, str] = {}  # token → whose; to their repositories it may write
        self.private: set[str] = set()
        hub = self

        class Handler(_Handler):
            def __init__(self, *args):
                self.hub = hub
                super().__init__(*args)

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"

    def __enter__(self) -> "FakeHub":
        threading.Thread(
            target=self.server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True
        ).start()
        return self

    def __exit__(self, *_) -> None:
        self.stop()

    def stop(self) -> None:
        """No more answers: connections are refused from here on."""
        self.server.shutdown()
        self.server.server_close()

    def commit(
        self,
        kind: str,
        repo: str,
        files: dict[str, bytes],
        ref: str = "main",
        sha: str | None = None,
    ) -> str:
        """A new commit that holds exactly these files, under `ref`; its hash, which may be one that
        a spec pins."""
        history = self.commits.setdefault((kind, repo), {})
        digest = repr((kind, repo, len(history), sorted(files.items()))).encode()
        sha = sha or hashlib.sha1(digest).hexdigest()
        history[sha] = files
        self.refs[kind, repo, ref] = sha
        return sha

    def downloads(self) -> list[str]:
        """Paths of the files that clients downloaded, in order."""
        return [
            match["path"]
            for method, path, _ in self.asked
            if method == "GET" and (match := FILE.match(path))
        ]


class _Handler(BaseHTTPRequestHandler):
    hub: FakeHub
    protocol_version = "HTTP/1.1"

    def log_message(self, *_) -> None:
        """Quiet."""

    def do_HEAD(self) -> None:
        self._answer()

    def do_GET(self) -> None:
        self._answer()

    def do_POST(self) -> None:
        path = unquote(urlsplit(self.path).path)
        self.hub.asked.append((self.command, path, None))
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        token = (self.headers.get("Authorization") or "").removeprefix("Bearer ")
        if path == "/api/validate-yaml":
            self._json({"errors": [], "warnings": []})
        elif token not in self.hub.tokens:
            self._error(401, "")
        elif path == "/api/repos/create":
            self._create(json.loads(body), self.hub.tokens[token])
        elif (match := WRITE.match(path)) and match["repo"].split("/")[0] != self.hub.tokens[token]:
            self._error(403, "")
        elif match and match["what"] == "preupload":
            files = json.loads(body)["files"]
            plain = {"uploadMode": "regular", "shouldIgnore": False}
            self._json({"files": [{"path": file["path"], **plain} for file in files]})
        elif match:
            self._commit(match["repo"], match["revision"], body)
        else:
            self._error(404, "EntryNotFound")

    def _create(self, asked: dict, who: str) -> None:
        repo = f"{asked['organization'] or who}/{asked['name']}"
        if repo.split("/")[0] != who:
            self._error(403, "")
        elif ("model", repo) in self.hub.commits:
            self._send(409, json.dumps({"url": f"{self.hub.url}/{repo}"}).encode(), {})
        else:
            self.hub.commit("model", repo, {})
            if asked.get("visibility") == "private" or asked.get("private"):
                self.hub.private.add(repo)
            self._json({"url": f"{self.hub.url}/{repo}"})

    def _commit(self, repo: str, revision: str, body: str) -> None:
        """Lines of JSON: a header, then files, which are added to those that are there."""
        files = dict(self.hub.commits["model", repo][self.hub.refs["model", repo, revision]])
        for line in body.splitlines():
            said = json.loads(line)
            if said["key"] == "file":
                files[said["value"]["path"]] = base64.b64decode(said["value"]["content"])
        sha = self.hub.commit("model", repo, files, revision)
        url = f"{self.hub.url}/{repo}/commit/{sha}"
        self._json({"commitUrl": url, "commitOid": sha})

    def _answer(self) -> None:
        path = urlsplit(self.path).path
        self.hub.asked.append((self.command, unquote(path), self.headers.get("Range")))
        if match := API.match(path):
            self._api(match)
        elif match := FILE.match(path):
            self._file(match)
        else:
            self._error(404, "EntryNotFound")

    def _find(self, kind: str, repo: str, revision: str) -> tuple[str, dict[str, bytes]] | None:
        """(commit, its files), or None after an error has been answered."""
        if repo in self.hub.refuse:
            self._error(*self.hub.refuse[repo])
        elif (kind, repo) not in self.hub.commits:
            self._error(404, "RepoNotFound")
        else:
            sha = self.hub.refs.get((kind, repo, unquote(revision)), revision)
            if sha in self.hub.commits[kind, repo]:
                return sha, self.hub.commits[kind, repo][sha]
            self._error(404, "RevisionNotFound")
        return None

    def _api(self, match: re.Match) -> None:
        found = self._find(match["kind"], match["repo"], match["revision"] or "main")
        if found and match["what"] == "tree":
            listing = [
                {
                    "type": "file",
                    "path": path,
                    "size": len(data),
                    "oid": hashlib.sha1(data).hexdigest(),
                }
                for path, data in sorted(found[1].items())
            ]
            self._json(listing)
        elif found:
            self._json(
                {
                    "id": match["repo"],
                    "sha": found[0],
                    "siblings": [{"rfilename": path} for path in found[1]],
                }
            )

    def _file(self, match: re.Match) -> None:
        found = self._find(
            "dataset" if match["dataset"] else "model", match["repo"], match["revision"]
        )
        if not found:
            return
        sha, files = found
        path = unquote(match["path"])
        if path not in files:
            self._error(404, "EntryNotFound")
            return
        data = files[path]
        headers = {
            "ETag": f'"{hashlib.sha1(data).hexdigest()}"',
            "X-Repo-Commit": sha,
            "Accept-Ranges": "bytes",
        }
        start, status = 0, 200
        if asked := re.match(r"bytes=(\d+)-", self.headers.get("Range") or ""):
            start, status = int(asked[1]), 206
            headers["Content-Range"] = f"bytes {start}-{len(data) - 1}/{len(data)}"
        cut = self.hub.cut.pop(path, None) if self.command == "GET" else None
        self._send(status, data[start:], headers, cut)

    def _json(self, body: object) -> None:
        self._send(200, json.dumps(body).encode(), {"Content-Type": "application/json"})

    def _error(self, status: int, code: str) -> None:
        self._send(status, b"{}", {"X-Error-Code": code} if code else {})

    def _send(
        self, status: int, body: bytes, headers: dict[str, str], cut: int | None = None
    ) -> None:
        self.send_response(status)
        for name, value in (headers | {"Content-Length": str(len(body))}).items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body[:cut])
        if cut is not None:
            self.close_connection = True
