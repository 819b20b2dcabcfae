"""A server on this machine that speaks as much of the Hugging Face Hub's API as a download and an upload need."""

import base64
import hashlib
import http.server
import json
import re
import urllib.parse

from local_server import LocalServer


class HubServer(LocalServer):
    """Keeps repositories in memory.

    Args:
        repositories: for each repository, such as "user/model", its files: content in bytes by path.
        token: the access token that an upload needs.
    """

    def __init__(self, repositories=None, token="secret"):
        self.repositories = {name: dict(files) for name, files in (repositories or {}).items()}
        self.gated, self.token = set(), token
        self.requests = []
        self._commits = {}
        super().__init__(self._handler())

    def commit(self, name):
        """The hash of a repository's newest commit, which follows from the files."""
        content = json.dumps({path: _sha(data) for path, data in sorted(self.repositories[name].items())})
        commit = hashlib.sha1(content.encode()).hexdigest()
        self._commits[name, commit] = dict(self.repositories[name])
        return commit

    def files(self, name, revision):
        """The files of a commit, or of the newest one of "main"; None where there is no such revision."""
        return self._commits.get((name, self.commit(name) if revision == "main" else revision))

    def _handler(server):  # noqa: N805 (in the inner class, `self` is the handler)
        class Handler(http.server.BaseHTTPRequestHandler):
            def log_message(self, *_):
                pass

            def do_GET(self):
                self.answer("GET")

            def do_HEAD(self):
                self.answer("HEAD")

            def do_POST(self):
                self.answer("POST")

            def answer(self, method):
                path = urllib.parse.unquote(self.path.partition("?")[0])
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                server.requests.append(f"{method} {path}")
                if method == "POST" and self.headers.get("Authorization") != f"Bearer {server.token}":
                    return self.send(401, {"error": "no such token"})
                for pattern, action in self.ACTIONS:
                    found = re.fullmatch(pattern, path)
                    if found:
                        return action(self, body, *found.groups())
                return self.send(404, {"error": "not found"})

            def send(self, status, content, **headers):
                data = content if isinstance(content, bytes) else json.dumps(content).encode()
                self.send_response(status)
                for name, value in {"Content-Length": len(data), **headers}.items():
                    self.send_header(name.replace("_", "-"), str(value))
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(data)

            def missing(self, name, revision):
                """Sends the answer for a repository or revision that does not exist, or that is gated."""
                if name not in server.repositories:
                    self.send(404, {"error": "none"}, X_Error_Code="RepoNotFound")
                elif name in server.gated:
                    self.send(403, {"error": "gated"}, X_Error_Code="GatedRepo")
                elif server.files(name, revision) is None:
                    self.send(404, {"error": "none"}, X_Error_Code="RevisionNotFound")
                else:
                    return False
                return True

            def info(self, _, name, revision="main"):
                if not self.missing(name, revision):
                    sha = server.commit(name) if revision == "main" else revision
                    files = [{"rfilename": path} for path in server.files(name, revision)]
                    self.send(200, {"id": name, "sha": sha, "siblings": files})

            def tree(self, _, name, revision):
                if not self.missing(name, revision):
                    rows = [
                        {"type": "file", "path": path, "size": len(data), "oid": _sha(data)[:40]}
                        for path, data in server.files(name, revision).items()
                    ]
                    self.send(200, rows)

            def file(self, _, name, revision, path):
                if self.missing(name, revision):
                    return
                data = server.files(name, revision).get(path)
                sha = server.commit(name) if revision == "main" else revision
                if data is None:
                    self.send(404, {"error": "none"}, X_Error_Code="EntryNotFound")
                else:
                    self.send(200, data, ETag=f'"{_sha(data)[:40]}"', X_Repo_Commit=sha)

            def create(self, body):
                asked = json.loads(body)
                name = f"{asked['organization']}/{asked['name']}" if asked.get("organization") else asked["name"]
                status = 409 if name in server.repositories else 200
                server.repositories.setdefault(name, {})
                self.send(status, {"url": f"{server.address}/{name}", "name": name, "id": name})

            def whoami(self, _):
                self.send(200, {"name": "user", "type": "user", "orgs": []})

            def valid(self, body):
                self.send(200, {"errors": [], "warnings": []})

            def preupload(self, body, name, revision):
                modes = [
                    {
                        "path": file["path"],
                        "uploadMode": "regular",  # the Hub itself takes large files by a protocol of its own
                        "shouldIgnore": False,
                        "oid": None,
                    }
                    for file in json.loads(body)["files"]
                ]
                self.send(200, {"files": modes})

            def receive(self, body, name, revision):
                for line in body.splitlines():
                    entry = json.loads(line)
                    value = entry["value"]
                    if entry["key"] == "file":
                        server.repositories[name][value["path"]] = base64.b64decode(value["content"])
                oid = server.commit(name)
                self.send(
                    200,
                    {
                        "success": True,
                        "commitUrl": f"{server.address}/{name}/commit/{oid}",
                        "commitOid": oid,
                        "pullRequestUrl": None,
                    },
                )

            ACTIONS = (
                (r"/api/models/([\w.-]+/[\w.-]+)", info),
                (r"/api/models/([\w.-]+/[\w.-]+)/revision/(.+)", info),
                (r"/api/models/([\w.-]+/[\w.-]+)/tree/([^/]+)", tree),
                (r"/api/whoami-v2", whoami),
                (r"/([\w.-]+/[\w.-]+)/resolve/([^/]+)/(.+)", file),
                (r"/api/repos/create", create),
                (r"/api/validate-yaml", valid),
                (r"/api/models/([\w.-]+/[\w.-]+)/preupload/(.+)", preupload),
                (r"/api/models/([\w.-]+/[\w.-]+)/commit/(.+)", receive),
            )

        return Handler


def _sha(data):
    return hashlib.sha256(data).hexdigest()
